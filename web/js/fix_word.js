/** HRV Fix Word: the words of its prompt as buttons. A click chooses the word, with Shift it adds the next of a phrase. */
import { app } from "../../../scripts/app.js";
import { chips } from "./chips.js";
import { everyNode, holderOf, openedFrom, promptOf, textOf, wordsOf } from "./tracing.js";
import { mapOf, showsMap } from "./word_maps.js";

function choose(node, text) {
  const widget = holderOf(node, "word");
  if (!widget) return; // another node computes it
  widget.value = text;
  widget.callback?.(text, app.canvas, node);
  node.setDirtyCanvas?.(true, true);
  draw(node);
  const tracker = app.extensionManager?.workflow?.activeWorkflow?.changeTracker; // so that undo knows of it
  (tracker?.captureCanvasState ?? tracker?.checkState)?.call(tracker);
}

function draw(node) {
  const prompt = promptOf(node) ?? "";
  const words = wordsOf(prompt);
  const word = (textOf(node, "word") ?? "").trim();
  const state = JSON.stringify([prompt, word]);
  if (node.hrvWords.state === state) return;
  node.hrvWords.state = state;
  const chosen = new Set(wordsOf(word));
  node.hrvWords.fill(words, (button, text) => {
    button.setAttribute("aria-pressed", String(chosen.has(text)));
    button.onclick = event => choose(node, event.shiftKey && word ? `${word} ${text}` : text);
    showsMap(button, () => mapOf(prompt, text));
  });
}

function drawAll() {
  for (const node of everyNode(app.rootGraph ?? app.graph)) if (node.hrvWords) draw(node);
}

app.registerExtension({
  name: "comfyui-hrv.fix_word",
  setup() {
    document.addEventListener("input", () => queueMicrotask(drawAll));
    document.addEventListener("pointerup", () => setTimeout(drawAll));
    document.addEventListener("subgraph-opened", ({ detail }) => {
      if (detail?.fromNode) openedFrom.set(detail.subgraph, detail.fromNode);
      setTimeout(drawAll);
    });
  },
  nodeCreated(node) {
    if (node.comfyClass !== "HRVFixWord" || !node.addDOMWidget) return;
    node.hrvWords = chips(node, "words of the prompt", "hrv_words", { getMinHeight: () => 56, getMaxHeight: () => 120 });
    const { onConfigure, onConnectionsChange } = node;
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
