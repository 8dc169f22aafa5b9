/** Texts of nodes that did not run again, because nothing about them changed: the server resends them, and here they are shown. */
import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";
import { asHTML, tell } from "./node_text.js";
import { isOurs, nodeOfRun, widgetOf } from "./tracing.js";

const SHOWN = "$$node-text-preview"; // the frontend's widget for a node's text
const MOST_LINES = 16;

function short(text) {
  const lines = text.split("\n");
  return lines.length > MOST_LINES ? [...lines.slice(0, MOST_LINES), "..."].join("\n") : text;
}

app.registerExtension({
  name: "comfyui-hrv.texts",
  setup() {
    api.addEventListener("executed", ({ detail }) => {
      const text = detail?.output?.text?.[0];
      const id = String(detail?.display_node ?? detail?.node);
      const node = nodeOfRun(app.rootGraph ?? app.graph, id);
      if (typeof text !== "string" || !isOurs(node)) return;
      const shown = String(widgetOf(node, SHOWN)?.value ?? ""); // the receipt of a run goes on after it
      if (!shown || !shown.startsWith(asHTML(text.split("\n")[0]))) tell(id, short(text));
    });
  },
});
