/** Texts under nodes. The frontend takes them for HTML, and drops what looks like a tag in it. */
import { api } from "../../../scripts/api.js";

export const asHTML = text => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

/** Show a text under a node, by its id as the server says it. */
export const tell = (nodeId, text) => api.dispatchCustomEvent?.("progress_text", { nodeId: String(nodeId), text: asHTML(text) });
