/** What an HRVError says, where a person looks: in the toast and at the node. Without this file it is two clicks away. */
import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";
import { nodeOfRun } from "./tracing.js";

const OURS = /(^|\.)HRVError$/;
const SHOWN_FOR = 30000; // milliseconds

/** The name of the node in its graph, else its class. */
const title = detail => nodeOfRun(app.rootGraph ?? app.graph, detail.node_id)?.title ?? detail.node_type ?? "HRV";

app.registerExtension({
  name: "comfyui-hrv.messages",
  setup() {
    api.addEventListener("execution_error", ({ detail }) => {
      if (!OURS.test(detail?.exception_type ?? "")) return;
      const message = String(detail.exception_message ?? "").trim(); // the server adds tips to other kinds only
      app.extensionManager?.toast?.add({ severity: "error", summary: title(detail), detail: message, life: SHOWN_FOR });
      api.dispatchCustomEvent?.("progress_text", { nodeId: detail.node_id, text: message });
    });
  },
});
