/** Read off the graph where a node's vectors, prompt and texts come from. Answers are null where it cannot be known. */

const BEHIND = {
  HRVSave: "hrv", HRVMerge: "hrv_a", HRVBuild: "concepts", HRVBuildByEffect: "concepts", HRVImport: "concepts",
};
const PROMPTS = ["positive", "conditioning", "source", "target"]; // inputs behind which a prompt's node is
const DEEPEST = 50; // links followed

export const isOurs = node => String(node?.comfyClass ?? node?.type ?? "").startsWith("HRV");

export const widgetOf = (node, name) => node?.widgets?.find(widget => widget.name === name);

/** The node linked to an input, behind reroutes. */
export function linkedTo(node, name) {
  let place = node?.inputs?.findIndex(input => input.name === name) ?? -1;
  for (let step = 0; place >= 0 && step < DEEPEST; step++) {
    const found = node.getInputNode?.(place) ?? null;
    if (found?.type !== "Reroute") return found;
    [node, place] = [found, 0];
  }
  return null;
}

/** A text as it is now: of the widget, or of the first widget of the node linked in its place. */
export function textOf(node, name) {
  const value = linkedTo(node, name)?.widgets?.[0]?.value ?? widgetOf(node, name)?.value;
  return typeof value === "string" ? value : null;
}

/** What to ask the server for the concepts a node can be told: {kind: name}. */
export function vectorsOf(node) {
  const input = node?.inputs?.find(input => input.type === "HRV");
  let at = input ? linkedTo(node, input.name) : node;
  for (let step = 0; at && step < DEEPEST; step++) {
    if (at.type === "HRVLoad") return { file: textOf(at, "file") };
    if (at.type === "HRVFetch") return { published: textOf(at, "name") };
    if (at.type === "HRVConcepts") return { preset: textOf(at, "preset") };
    at = BEHIND[at.type] ? linkedTo(at, BEHIND[at.type]) : null;
  }
  return input?.link == null ? pocketOf(node) : null;
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

/** The words of a prompt in order, each once, without weights and brackets; an embedding by its whole name. */
export function wordsOf(prompt) {
  const plain = prompt.replace(/:\s*[-+]?[\d.]+(?=\s*\))/g, " ").replace(/\\(?=[()])/g, "");
  const runs = plain.match(/embedding:[^\s,()]+|[^\s,.;:!?()[\]{}|"“”、。，]+/g) ?? [];
  return [...new Set(runs.flatMap(run => (CONNECTED.test(run) ? segments(run) : [run])))];
}

function segments(run) {
  if (!Intl.Segmenter) return [run];
  const found = new Intl.Segmenter(undefined, { granularity: "word" }).segment(run);
  return [...found].filter(part => part.isWordLike).map(part => part.segment);
}
