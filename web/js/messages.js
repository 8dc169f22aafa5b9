/** What an HRVError says, where a person looks: in the toast and at the node. Without this file it is two clicks away. */
import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";
import { tell } from "./node_text.js";
import { nodeOfRun } from "./tracing.js";

const OURS = /(^|\.)HRVError$/;
const SHOWN_FOR = 30000; // milliseconds

app.registerExtension({
  name: "comfyui-hrv.messages",
  setup() {
    api.addEventListener("execution_error", ({ detail }) => {
      if (!OURS.test(detail?.exception_type ?? "")) return;
      const message = String(detail.exception_message ?? "").trim(); // the server adds tips to other kinds only
      const found = nodeOfRun(app.rootGraph ?? app.graph, detail.node_id);
      const node = found?.comfyClass === detail.node_type ? found : null; // not of another workflow that is open now
      const summary = node?.title ?? detail.node_type ?? "HRV";
      app.extensionManager?.toast?.add({ severity: "error", summary, detail: message, life: SHOWN_FOR });
      if (node) tell(detail.node_id, message);
    });
  },
});
