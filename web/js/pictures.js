/** The picture on a node after a run: what came with it, and where on the page it is, in both renderers. */
import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";

const IN_CLASSIC = "$$canvas-image-preview"; // the frontend's widget for a node's images
const SIZE_TEXT = 15; // px below the picture, where the classic renderer writes its size

/** The ui output of a node's last run, undefined before. */
export function outputOf(node) {
  const outputs = app.nodeOutputs ?? {}, graph = node?.graph;
  const inside = graph && graph !== (graph.rootGraph ?? graph); // a subgraph: its nodes' ids may be others' outside
  return outputs[inside ? `${graph.id}:${node.id}` : node?.id];
}

/** What it gave under a key, null for nothing. */
export const given = (node, key) => outputOf(node)?.[key]?.[0] ?? null;

/** The address of an image that the server keeps: {filename, subfolder, type}. */
export const addressOf = image => api.apiURL(`/view?${new URLSearchParams(image)}`);

/** The node that a pointer event is over, or null. */
export function nodeUnder(event) {
  const id = event.target?.closest?.("[data-node-id]")?.dataset.nodeId;
  const graph = app.canvas?.graph;
  if (id !== undefined) return graph?.getNodeById?.(Number(id)) ?? null;
  if (event.target !== app.canvas?.canvas) return null;
  return graph?.getNodeOnPos?.(...app.canvas.convertEventToCanvasOffset(event), app.canvas.visible_nodes) ?? null;
}

/** The box of a node's one picture in pixels of the page: {left, top, width, height}, or null where none is drawn. */
export function pictureBox(node) {
  const image = document.querySelector(`[data-node-id="${node.id}"] img[data-testid="main-image"]`);
  if (image?.naturalWidth) {
    const { left, top, width, height } = image.getBoundingClientRect();
    return fitted(image, { left, top, width, height }, Infinity);
  }
  const widget = node.widgets?.find(widget => widget.name === IN_CLASSIC);
  const drawn = node.imgs?.length === 1 ? node.imgs[0] : null;
  if (!drawn?.naturalWidth || !widget?.computedHeight || document.querySelector(`[data-node-id="${node.id}"]`)) return null;
  const below = app.ui?.settings?.getSettingValue?.("Comfy.Node.AllowImageSizeDraw") === false ? 0 : SIZE_TEXT;
  const room = { left: 0, top: widget.y, width: node.size[0], height: widget.computedHeight - below };
  return onPage(node, fitted(drawn, room, 1));
}

/** The largest box of an image's proportions in the middle of a room, enlarged by `most` at most. */
function fitted(image, room, most) {
  const scale = Math.min(room.width / image.naturalWidth, room.height / image.naturalHeight, most);
  const [width, height] = [image.naturalWidth * scale, image.naturalHeight * scale];
  return { left: room.left + (room.width - width) / 2, top: room.top + (room.height - height) / 2, width, height };
}

/** A box inside a node of the classic renderer as one of the page. */
function onPage(node, box) {
  const { ds, canvas } = app.canvas;
  const [x, y] = ds.convertOffsetToCanvas([node.pos[0] + box.left, node.pos[1] + box.top]);
  const frame = canvas.getBoundingClientRect();
  return { left: frame.left + x, top: frame.top + y, width: box.width * ds.scale, height: box.height * ds.scale };
}
