/** Read off the graph where a node's vectors, prompt and texts come from. Answers are null where it cannot be known. */

const BEHIND = {
  HRVSave: "hrv", HRVMerge: "hrv_a", HRVBuild: "concepts", HRVBuildByEffect: "concepts", HRVImport: "concepts",
};
const PROMPTS = ["positive", "conditioning", "source", "target"]; // inputs behind which a prompt's node is
const DEEPEST = 50; // links followed
const FROM_OUTSIDE = -10; // the id of what links begin at, inside a subgraph, for what comes from outside

export const isOurs = node => String(node?.comfyClass ?? node?.type ?? "").startsWith("HRV");

export const widgetOf = (node, name) => node?.widgets?.find(widget => widget.name === name);

/** Every node of a graph and of the subgraphs in it. */
export function* everyNode(graph) {
  for (const node of graph?.nodes ?? []) {
    yield node;
    if (node.subgraph) yield* everyNode(node.subgraph);
  }
}

/** The node of an id as the server says it: "9:14" is node 14 in the subgraph that node 9 stands for. */
export function nodeOfRun(root, id) {
  let node = null;
  for (const part of String(id ?? "").split(":")) {
    const graph = node ? node.subgraph : root;
    node = graph?.getNodeById?.(Number(part)) ?? null;
    if (!node) return null;
  }
  return node;
}

/** The node and input that a widget of a node sets: inside, if the node stands for a subgraph. */
export function setBy(node, name) {
  for (let step = 0; node?.subgraph && step < DEEPEST; step++) {
    const within = node.subgraph;
    const slot = within.inputs?.find(input => input.name === name);
    const link = within.getLink?.(slot?.linkIds?.[0]);
    node = link ? within.getNodeById(link.target_id) : null;
    name = node?.inputs?.[link.target_slot]?.name;
  }
  return node ? { node, name } : null;
}

/** Subgraph -> the node through which it was opened last. */
export const openedFrom = new WeakMap();

/** The node that stands for a subgraph; of several the one through which it was opened, null where nobody knows. */
function standingFor(inside) {
  const found = [...everyNode(inside.rootGraph)].filter(one => one.subgraph === inside);
  return found.length > 1 ? found.find(one => one === openedFrom.get(inside)) ?? null : found[0] ?? null;
}

/** Where an input's value comes from, behind reroutes, out of and into subgraphs: {node, widget}, where widget is the one
 * that holds it on a node standing for a subgraph, else null; null for an input that is not linked, both null where
 * nobody knows. */
export function sourceOf(node, name) {
  let graph = node?.graph, link = linkOf(node, name);
  for (let step = 0; link && step < DEEPEST; step++) {
    if (Number(link.origin_id) === FROM_OUTSIDE) {
      const inside = graph, slot = graph.inputs?.[link.origin_slot]?.name;
      const outer = standingFor(inside), widget = widgetOf(outer, slot);
      if (!outer) return { node: null, widget: null };
      [graph, link] = [outer.graph, linkOf(outer, slot)];
      if (!link) return widget ? { node: outer, widget } : null;
      continue;
    }
    const found = graph.getNodeById?.(link.origin_id) ?? null;
    if (found?.subgraph) {
      graph = found.subgraph;
      link = graph.getLink?.(graph.outputs?.[link.origin_slot]?.linkIds?.[0]);
    } else if (found?.type === "Reroute") {
      link = graph.getLink?.(found.inputs?.[0]?.link);
    } else {
      return found && { node: found, widget: null };
    }
  }
  return null;
}

function linkOf(node, name) {
  const link = node?.inputs?.find(input => input.name === name)?.link;
  return link == null ? null : node.graph?.getLink?.(link) ?? null;
}

/** The node linked to an input, as `sourceOf`. */
export const linkedTo = (node, name) => sourceOf(node, name)?.node ?? null;

/** The widget that holds an input's value; null where a linked node has not one value alone, and so computes it. */
export function holderOf(node, name) {
  const source = sourceOf(node, name);
  return source ? source.widget ?? valueOf(source.node) : widgetOf(node, name) ?? null;
}

/** The widget of a node that is a value and nothing else, as Primitive nodes are. */
function valueOf(node) {
  const values = (node?.widgets ?? []).filter(widget => widget.name !== "control_after_generate");
  return values.length === 1 && !node.inputs?.some(input => input.link != null) ? values[0] : null;
}

/** A text as it is now, null where it is computed. */
export function textOf(node, name) {
  const value = holderOf(node, name)?.value;
  return typeof value === "string" ? value : null;
}

/** What to ask the server for the concepts a node can be told: {kind: name}. */
export function vectorsOf(node) {
  const input = node?.inputs?.find(input => input.type === "HRV");
  const linked = input ? linkedTo(node, input.name) : null;
  let at = input ? linked : node;
  for (let step = 0; at && step < DEEPEST; step++) {
    if (at.type === "HRVLoad") return { file: textOf(at, "file") };
    if (at.type === "HRVFetch") return { published: textOf(at, "name") };
    if (at.type === "HRVConcepts") return { preset: textOf(at, "preset") };
    at = BEHIND[at.type] ? linkedTo(at, BEHIND[at.type]) : null;
  }
  return linked ? null : pocketOf(node);
}

/** The pocket model that a node's MODEL comes from: its vectors are in the pack. */
function pocketOf(node) {
  for (let step = 0; node && step < DEEPEST; step++) {
    if (node.type === "HRVPocketModel") return { pocket: textOf(node, "model") };
    node = linkedTo(node, "model");
  }
  return null;
}

/** The prompt whose words a node can be told. */
export function promptOf(node) {
  for (let step = 0; node && step < DEEPEST; step++) {
    const text = textOf(node, "text") ?? textOf(node, "prompt");
    if (text !== null) return text;
    node = PROMPTS.map(name => linkedTo(node, name)).find(Boolean);
  }
  return null;
}

const CONNECTED = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]/u; // written without blanks

const WEIGHT = // and the part of the sampling and the concepts that HRV Prompt Weights reads behind it
  /:\s*[-+]?(?:\d+\.?\d*|\.\d+)\s*(?:@\s*[\d.]+\s*-\s*[\d.]+\s*)?(?:(?<=\s)[^\s()][^()]*)?(?=\))/g;

/** The words of a prompt in order, each once, without weights and brackets; an embedding by its whole name. */
export function wordsOf(prompt) {
  const plain = prompt.replace(WEIGHT, " ").replace(/\\(?=[()])/g, "");
  const runs = plain.match(/embedding:[^\s,()]+|[^\s,.;:!?()[\]{}|"“”、。，]+/g) ?? [];
  return [...new Set(runs.flatMap(run => (CONNECTED.test(run) ? segments(run) : [run])))];
}

function segments(run) {
  if (!Intl.Segmenter) return [run];
  const found = new Intl.Segmenter(undefined, { granularity: "word" }).segment(run);
  return [...found].filter(part => part.isWordLike).map(part => part.segment);
}
