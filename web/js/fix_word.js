/** HRV Fix Word: the words of its prompt as buttons. A click chooses the word, with Shift it adds the next of a phrase. */
import { app } from "../../../scripts/app.js";
import { chips } from "./chips.js";
import { promptOf, sourceOf, textOf, widgetOf, wordsOf } from "./tracing.js";
import { mapOf, showsMap } from "./word_maps.js";

const nodes = new Set();

function choose(node, text) {
  const widget = sourceOf(node, "word")?.widget ?? widgetOf(node, "word");
  widget.value = text;
  widget.callback?.(text, app.canvas, node);
  node.setDirtyCanvas?.(true, true);
  draw(node);
}

function draw(node) {
  const prompt = promptOf(node) ?? "";
  const words = wordsOf(prompt);
  const word = (textOf(node, "word") ?? "").trim();
  const state = JSON.stringify([words, word]);
  if (node.hrvWords.state === state) return;
  node.hrvWords.state = state;
  const chosen = new Set(wordsOf(word));
  node.hrvWords.fill(words, (button, text) => {
    button.setAttribute("aria-pressed", String(chosen.has(text)));
    button.onclick = event => choose(node, event.shiftKey && word ? `${word} ${text}` : text);
    showsMap(button, () => mapOf(prompt, text));
  });
}

const drawAll = () => nodes.forEach(draw);

app.registerExtension({
  name: "comfyui-hrv.fix_word",
  setup() {
    document.addEventListener("input", () => queueMicrotask(drawAll));
    document.addEventListener("pointerup", () => setTimeout(drawAll));
  },
  nodeCreated(node) {
    if (node.comfyClass !== "HRVFixWord" || !node.addDOMWidget) return;
    node.hrvWords = chips(node, "words of the prompt", "hrv_words", { getMinHeight: () => 56, getMaxHeight: () => 120 });
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
