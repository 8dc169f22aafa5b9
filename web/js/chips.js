/** A row of words on a node, as buttons: the Tab key reaches them, the arrow keys go from one to the next. */

const STYLE = `
.hrv-words { display: flex; flex-wrap: wrap; gap: 4px; align-content: flex-start; overflow-y: auto; }
.hrv-words button { font: 12px sans-serif; padding: 2px 8px; border-radius: 10px; border: 1px solid #5a8a9a;
  background: transparent; color: var(--input-text, #ddd); cursor: pointer; }
.hrv-words button:focus-visible { outline: 2px solid #4fb3bf; }
.hrv-words button[aria-pressed="true"] { background: #2f7d95; color: #fff; }`;
const STEPS = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 };

let styled = false;

function walk(event) {
  const buttons = [...event.currentTarget.querySelectorAll("button")];
  const at = buttons.indexOf(document.activeElement), step = STEPS[event.key];
  if (at < 0 || !step) return;
  event.preventDefault();
  event.stopPropagation();
  buttons[(at + step + buttons.length) % buttons.length].focus();
}

/** Add the row to a node; fill(words, dress) replaces its words, dress(button, word, place) makes each do something. */
export function chips(node, label, type, heights) {
  if (!styled) document.head.appendChild(document.createElement("style")).textContent = STYLE;
  styled = true;
  const box = document.createElement("div");
  box.className = "hrv-words";
  box.setAttribute("role", "group");
  box.setAttribute("aria-label", label);
  box.onkeydown = walk;
  node.addDOMWidget(label, type, box, { serialize: false, getValue: () => "", ...heights }).serialize = false;
  const fill = (words, dress) => {
    const focused = [...box.children].indexOf(document.activeElement);
    box.replaceChildren(...words.map((word, place) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = word;
      dress(button, word, place);
      return button;
    }));
    box.children[focused]?.focus();
  };
  return { box, fill };
}
