/** HRV Fix Word: the words of its prompt as buttons. A click chooses the word, with Shift it adds the next of a phrase. */
import { app } from "../../../scripts/app.js";
import { promptOf, widgetOf, wordsOf } from "./tracing.js";

const STYLE = `
.hrv-words { display: flex; flex-wrap: wrap; gap: 4px; align-content: flex-start; overflow-y: auto; }
.hrv-words button { font: 12px sans-serif; padding: 2px 8px; border-radius: 10px; border: 1px solid #5a8a9a;
  background: transparent; color: var(--input-text, #ddd); cursor: pointer; }
.hrv-words button[aria-pressed="true"] { background: #2f7d95; color: #fff; }`;
const nodes = new Set();

function choose(node, text) {
  const widget = widgetOf(node, "word");
  widget.value = text;
  widget.callback?.(text, app.canvas, node);
  node.setDirtyCanvas?.(true, true);
  draw(node);
}

function draw(node) {
  const box = node.hrvWords;
  const words = wordsOf(promptOf(node) ?? "");
  const word = String(widgetOf(node, "word")?.value ?? "").trim();
  const state = JSON.stringify([words, word]);
  if (box.dataset.state === state) return;
  box.dataset.state = state;
  const chosen = new Set(wordsOf(word));
  box.replaceChildren(...words.map(text => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = text;
    button.setAttribute("aria-pressed", String(chosen.has(text)));
    button.onclick = event => choose(node, event.shiftKey && word ? `${word} ${text}` : text);
    return button;
  }));
}

const drawAll = () => nodes.forEach(draw);

app.registerExtension({
  name: "comfyui-hrv.fix_word",
  setup() {
    document.head.appendChild(document.createElement("style")).textContent = STYLE;
    document.addEventListener("input", () => queueMicrotask(drawAll));
    document.addEventListener("pointerup", () => setTimeout(drawAll));
  },
  nodeCreated(node) {
    if (node.comfyClass !== "HRVFixWord" || !node.addDOMWidget) return;
    node.hrvWords = document.createElement("div");
    node.hrvWords.className = "hrv-words";
    node.hrvWords.setAttribute("role", "group");
    node.hrvWords.setAttribute("aria-label", "words of the prompt");
    const options = { serialize: false, getMinHeight: () => 56, getMaxHeight: () => 120, getValue: () => "" };
    node.addDOMWidget("words of the prompt", "hrv_words", node.hrvWords, options).serialize = false;
    nodes.add(node);
    const { onRemoved, onConfigure, onConnectionsChange } = node;
    node.onRemoved = function (...given) {
      nodes.delete(node);
      return onRemoved?.apply(this, given);
    };
    node.onConfigure = function (...given) {
      setTimeout(drawAll);
      return onConfigure?.apply(this, given);
    };
    node.onConnectionsChange = function (...given) {
      setTimeout(drawAll);
      return onConnectionsChange?.apply(this, given);
    };
    setTimeout(drawAll);
  },
});
