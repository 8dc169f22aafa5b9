/** Words that have a token map: point at one, or focus it, and see its map. On HRV Token Map View, and on HRV Fix Word where
 * a view in the graph has maps of the same prompt. */
import { app } from "../../../scripts/app.js";
import { chips } from "./chips.js";
import { addressOf, given } from "./pictures.js";
import { hideTip, showTip } from "./tips.js";
import { everyNode } from "./tracing.js";

const VIEW = "HRVTokenMapView";

/** Let a word's map be shown beside an element while it is pointed at or has the focus; find gives {word, image} or null. */
export function showsMap(element, find) {
  element.onpointerenter = element.onfocus = () => {
    const found = find();
    if (found) showTip(element.getBoundingClientRect(), found.word, { picture: addressOf(found.image), element });
  };
  element.onpointerleave = element.onblur = hideTip;
}

/** The recorded map of a word of a prompt, from any view in the open graph: {word, image}, or null. */
export function mapOf(prompt, word) {
  for (const node of everyNode(app.rootGraph ?? app.graph)) {
    const maps = node.comfyClass === VIEW ? given(node, "hrv_maps") : null;
    const place = maps?.prompt === prompt ? maps.words.findIndex(other => other.toLowerCase() === word.toLowerCase()) : -1;
    if (place >= 0) return { word, image: maps.images[place] };
  }
  return null;
}

function draw(node) {
  const maps = given(node, "hrv_maps");
  node.hrvMaps.fill(maps?.words ?? [], (chip, word, place) => showsMap(chip, () => ({ word, image: maps.images[place] })));
}

app.registerExtension({
  name: "comfyui-hrv.word_maps",
  nodeCreated(node) {
    if (node.comfyClass !== VIEW || !node.addDOMWidget) return;
    node.hrvMaps = chips(node, "words with token maps", "hrv_maps", { margin: 4, getMinHeight: () => 36, getMaxHeight: () => 84 });
    const { onExecuted, onConfigure } = node;
    node.onExecuted = function (...given) {
      setTimeout(() => draw(node));
      return onExecuted?.apply(this, given);
    };
    node.onConfigure = function (...given) {
      setTimeout(() => draw(node));
      return onConfigure?.apply(this, given);
    };
  },
});
