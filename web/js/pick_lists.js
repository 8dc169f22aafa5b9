/** Concepts and words to pick from, under the text fields that ask for them. Any other text can be typed as before. */
import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";
import { nodeUnder } from "./pictures.js";
import { isOurs, promptOf, setBy, vectorsOf, wordsOf } from "./tracing.js";

const CONCEPTS = new Set(["concept", "desired", "undesired", "meaning", "not_meaning", "keep"]);
const WORDS = new Set(["word", "words", "blend_words", "edited_word"]);
const ID = "hrv-picks";

let pressed = null; // the {node, widget} that was pressed last in the classic renderer, whose dialog opens next

async function picksOf(node, name) {
  if (WORDS.has(name)) return wordsOf(promptOf(node) ?? "");
  const question = vectorsOf(node);
  if (!question) return [];
  const answer = await api.fetchApi(`/hrv/concepts?${new URLSearchParams(question)}`);
  return answer.ok ? (await answer.json()).concepts : [];
}

/** Put the picks under a field; behind a comma the list goes on for the next name. */
async function offer(field, { node, widget }) {
  const { node: set, name } = setBy(node, widget.name) ?? {};
  if (!isOurs(set) || !(CONCEPTS.has(name) || WORDS.has(name))) return;
  const list = document.getElementById(ID) ?? document.body.appendChild(document.createElement("datalist"));
  list.id = ID;
  list.replaceChildren();
  field.setAttribute("list", ID);
  field.setAttribute("autocomplete", "off");
  const picks = await picksOf(set, name).catch(() => []);
  if (document.activeElement !== field) return; // the answer came when another field had the focus
  const fill = () => {
    const before = field.value.slice(0, field.value.lastIndexOf(",") + 1);
    const options = picks.map(pick => new Option(pick, before ? `${before} ${pick}` : pick));
    list.replaceChildren(...options);
  };
  fill();
  field.oninput = fill;
}

/** The node and widget of a field on the page: by its node in Nodes 2.0, in the classic renderer the one pressed last. */
function ownerOf(field) {
  if (field.closest(".graphdialog")) return pressed;
  const id = field.closest("[data-node-id]")?.dataset.nodeId;
  const node = id === undefined ? null : app.canvas?.graph?.getNodeById?.(Number(id));
  const label = field.getAttribute("aria-label"); // in the language of the page
  const widget = node?.widgets?.find(widget => widget.name === label || widget.label === label);
  return widget ? { node, widget } : null;
}

function press(event) {
  const node = nodeUnder(event);
  const widget = node?.getWidgetOnPos?.(...app.canvas.convertEventToCanvasOffset(event));
  pressed = widget ? { node, widget } : null;
}

app.registerExtension({
  name: "comfyui-hrv.pick_lists",
  setup() {
    document.addEventListener("pointerdown", event => {
      if (event.target === app.canvas?.canvas) press(event);
    }, true);
    document.addEventListener("focusin", ({ target }) => {
      const owner = target instanceof HTMLInputElement ? ownerOf(target) : null;
      if (owner) offer(target, owner);
    });
  },
});
