/** Heads in the pictures of HRV Heatmap and HRV Head Concepts: point at one, or walk them with the arrow keys, and read its
 * concepts. */
import { app } from "../../../scripts/app.js";
import { given, nodeUnder, pictureBox } from "./pictures.js";
import { hideTip, showTip } from "./tips.js";

const NODES = new Set(["HRVHeatmap", "HRVHeadConcepts"]);
const STYLE = `
.hrv-heads { font: 12px sans-serif; padding: 2px 6px; color: var(--input-text, #ddd); overflow: hidden;
  white-space: nowrap; text-overflow: ellipsis; border-radius: 4px; }
.hrv-heads:focus { outline: 2px solid #4fb3bf; }`;
const EMPTY = "after a run: point at a head, or focus here and use the arrow keys";

/** The HRV index of the first head of each layer, and last of all the number of heads. */
const starts = heads => heads.sites.reduce((all, [, count]) => [...all, all.at(-1) + count], [0]);

/** Layer and head of an HRV index, both from 0. */
function placeOf(heads, index) {
  const layer = starts(heads).findLastIndex(start => start <= index);
  return [layer, index - starts(heads)[layer]];
}

function textOf(heads, index) {
  const [layer, head] = placeOf(heads, index);
  const carried = heads.heads[index];
  const lines = [`L${layer + 1}/h${head} (${heads.sites[layer][0]}), head ${index}`];
  for (let at = 0; at < carried.length; at += 2) lines.push(`${heads.concepts[carried[at]]} ${carried[at + 1].toFixed(2)}`);
  return lines.join("\n");
}

/** The cell of a head in a panel, in pixels of the page. */
function cellBox(heads, box, panel, index) {
  const [left, top, width, height] = heads.panels[panel];
  const [layer, head] = placeOf(heads, index);
  const scale = box.width / heads.size[0];
  const x = box.left + (left + head * width) * scale, y = box.top + (top + layer * height) * scale;
  return { left: x, top: y, width: width * scale, height: height * scale };
}

/** {panel, index} of the head at a place of the picture, or null beside the heads. */
function headAt(heads, box, clientX, clientY) {
  const scale = box.width / heads.size[0];
  const x = (clientX - box.left) / scale, y = (clientY - box.top) / scale;
  for (const [panel, [left, top, width, height]] of heads.panels.entries()) {
    const layer = Math.floor((y - top) / height), head = Math.floor((x - left) / width);
    if (head >= 0 && head < (heads.sites[layer]?.[1] ?? 0)) return { panel, index: starts(heads)[layer] + head };
  }
  return null;
}

const headsOf = node => (NODES.has(node?.comfyClass) ? given(node, "hrv_heads") : null);

function tell(node, heads, panel, index) {
  const box = pictureBox(node), text = textOf(heads, index);
  const line = node.hrvHeads;
  line.textContent = text.replace("\n", ": ").replaceAll("\n", ", ");
  line.setAttribute("aria-valuemax", heads.heads.length - 1);
  line.setAttribute("aria-valuenow", index);
  line.setAttribute("aria-valuetext", line.textContent);
  showTip(box ? cellBox(heads, box, panel, index) : line.getBoundingClientRect(), text, { framed: Boolean(box) });
}

let overHead = false; // whether the tip that is shown is of a head that is pointed at

function point(event) {
  const node = nodeUnder(event), heads = headsOf(node);
  const box = heads?.panels.length ? pictureBox(node) : null;
  const found = box && headAt(heads, box, event.clientX, event.clientY);
  if (found) tell(node, heads, found.panel, found.index);
  else if (overHead) hideTip();
  overHead = Boolean(found);
}

/** The head that a key leads to from another; null for other keys. */
function next(heads, index, key) {
  const [layer, head] = placeOf(heads, index), last = heads.heads.length - 1;
  const inLayer = to => starts(heads)[to] + Math.min(head, heads.sites[to][1] - 1);
  const moves = {
    ArrowLeft: Math.max(index - 1, 0), ArrowRight: Math.min(index + 1, last), Home: 0, End: last,
    ArrowUp: inLayer(Math.max(layer - 1, 0)), ArrowDown: inLayer(Math.min(layer + 1, heads.sites.length - 1)),
  };
  return moves[key] ?? null;
}

function lineOf(node) {
  const line = document.createElement("div");
  line.className = "hrv-heads";
  line.tabIndex = 0;
  line.textContent = EMPTY;
  const about = { role: "spinbutton", "aria-label": "heads and their concepts", "aria-valuemin": 0, "aria-valuenow": 0 };
  for (const [name, value] of Object.entries(about)) line.setAttribute(name, value);
  const at = () => Number(line.getAttribute("aria-valuenow"));
  const go = index => {
    const heads = headsOf(node);
    if (heads?.panels.length) tell(node, heads, 0, Math.min(index, heads.heads.length - 1));
  };
  line.onfocus = () => go(at());
  line.onblur = hideTip;
  line.onkeydown = event => {
    const heads = headsOf(node), index = heads?.panels.length ? next(heads, at(), event.key) : null;
    if (index === null) return;
    event.preventDefault();
    event.stopPropagation();
    go(index);
  };
  return line;
}

app.registerExtension({
  name: "comfyui-hrv.head_tips",
  setup() {
    document.head.appendChild(document.createElement("style")).textContent = STYLE;
    document.addEventListener("pointermove", point, { capture: true, passive: true });
  },
  nodeCreated(node) {
    if (!NODES.has(node.comfyClass) || !node.addDOMWidget) return;
    node.hrvHeads = lineOf(node);
    const options = { serialize: false, margin: 4, getMinHeight: () => 30, getMaxHeight: () => 30, getValue: () => "" };
    node.addDOMWidget("heads", "hrv_heads", node.hrvHeads, options).serialize = false;
  },
});
