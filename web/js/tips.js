/** One small box beside what is pointed at or has the focus: a text, a picture, and a frame around a place. */

const STYLE = `
.hrv-tip, .hrv-frame { position: fixed; z-index: 10000; pointer-events: none; }
.hrv-tip { padding: 6px 9px; border-radius: 6px; font: 12px sans-serif; white-space: pre-line; background: #1d2b33;
  color: #fff; border: 1px solid #5a8a9a; max-width: 340px; }
.hrv-tip img { display: block; width: 200px; margin-top: 4px; image-rendering: auto; }
.hrv-frame { border: 2px solid #fff; outline: 2px solid #d00; box-sizing: border-box; }
.hrv-tip[hidden], .hrv-frame[hidden] { display: none; }`;
const GAP = 12;

function element(name, role) {
  const made = document.createElement("div");
  made.className = name;
  made.hidden = true;
  if (role) made.setAttribute("role", role);
  return document.body.appendChild(made);
}

let parts = null, about = null; // the element that the box that is shown is about

function prepared() {
  if (parts) return parts;
  document.head.appendChild(document.createElement("style")).textContent = STYLE;
  parts = { tip: element("hrv-tip", "tooltip"), frame: element("hrv-frame") };
  addEventListener("wheel", hideTip, { capture: true, passive: true });
  addEventListener("pointermove", () => {
    if (about && !about.isConnected) hideTip();
  }, { capture: true, passive: true });
  return parts;
}

/** Show a text, and a picture by its address, beside a box of the page, until the element it is about, if any, goes;
 * framed draws a frame around the box. */
export function showTip(box, text, { picture = null, framed = false, element = null } = {}) {
  const { tip, frame } = prepared();
  about = element;
  const state = `${text}\n${picture}`;
  if (tip.dataset.state !== state) {
    tip.dataset.state = state;
    tip.replaceChildren(text);
    if (picture) Object.assign(tip.appendChild(document.createElement("img")), { src: picture, alt: text });
  }
  tip.hidden = false;
  tip.style.left = `${Math.max(0, Math.min(box.left + box.width + GAP, innerWidth - tip.offsetWidth))}px`;
  tip.style.top = `${Math.max(0, Math.min(box.top + box.height + GAP, innerHeight - tip.offsetHeight))}px`;
  frame.hidden = !framed;
  for (const side of ["left", "top", "width", "height"]) frame.style[side] = `${box[side]}px`;
}

export function hideTip() {
  if (parts) parts.tip.hidden = parts.frame.hidden = true;
}
