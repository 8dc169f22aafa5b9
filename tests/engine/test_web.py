"""What web/js names exists: inputs that get a pick list, link types that get a colour, files that it imports."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from comfyui_hrv.tests import skips

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted((ROOT / "web" / "js").glob("*.js"))
NODES = json.loads((ROOT / "locales" / "en" / "nodeDefs.json").read_text(encoding="utf-8"))


def script(name: str) -> str:
    return (ROOT / "web" / "js" / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", ["CONCEPTS", "WORDS"])
def test_fields_with_a_pick_list_are_inputs_of_a_node(kind: str):
    (listed,) = re.findall(rf"const {kind} = new Set\((\[.*\])\)", script("pick_lists.js"))
    inputs = {name for node in NODES.values() for name in node["inputs"]}
    assert json.loads(listed) and set(json.loads(listed)) <= inputs


def test_every_link_type_of_the_pack_has_a_colour_of_its_own():
    types = re.findall(r'io\.Custom\("(\w+)"\)', (ROOT / "nodes" / "types.py").read_text(encoding="utf-8"))
    colors = dict(re.findall(r'(HRV\w*): "(#\w{6})"', script("colors.js")))
    assert set(types) == set(colors) and len(set(colors.values())) == len(colors)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_imports_files_that_exist_and_begins_with_what_it_does(path: Path):
    text = path.read_text(encoding="utf-8")
    assert text.startswith("/** ")
    for name in re.findall(r'from "(\./.*)"', text):
        assert (path.parent / name).is_file()


def traced(folder: Path, before: str, value: str) -> Any:
    """What an expression over tracing.js is, after some lines of JavaScript."""
    if shutil.which("node") is None:
        pytest.skip(skips.NO_NODE)
    module = folder / "tracing.mjs"
    lines = [script("tracing.js"), before, f"console.log(JSON.stringify({value}));"]
    module.write_text("\n".join(lines), encoding="utf-8")
    done = subprocess.run(["node", module], capture_output=True, check=True, timeout=60, encoding="utf-8")
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def words_offered(tmp_path_factory) -> list[list[str]]:
    """The words that the pick list offers for each prompt of WORDS."""
    return traced(tmp_path_factory.mktemp("js"), "", f"{json.dumps(list(WORDS))}.map(wordsOf)")


WORDS = {
    "a red car, a (red:1.2) cat": ["a", "red", "car", "cat"],
    r"a \(lavender\) field": ["a", "lavender", "field"],
    "a embedding:foo-v1.5 cat": ["a", "embedding:foo-v1.5", "cat"],
    "(embedding:foo:1.2), cat": ["embedding:foo", "cat"],
    "(cat: 1.2) dog": ["cat", "dog"],
    "(cat:+1.2) (dog : -.5 )": ["cat", "dog"],
    "a (red:1.5@0-0.4) vase, (blue:2 Color, Image Style) (sky:-1@0.2 - 1 Color)": ["a", "red", "vase", "blue", "sky"],
    "{red|blue} car": ["red", "blue", "car"],
    "ein Käfer; 猫和狗": ["ein", "Käfer", "猫", "和", "狗"],
    " ": [],
}


@pytest.mark.parametrize("prompt, words", WORDS.items())
def test_the_words_offered_are_those_of_the_prompt(words_offered, prompt: str, words: list[str]):
    assert words_offered[list(WORDS).index(prompt)] == words


# a graph of the frontend's shape: {id: [type, {input: [origin, slot]}, {widget: value}, subgraph]}
GRAPHS = """
function graphOf(nodes, inputs = [], outputs = [], root = null) {
  const links = new Map(), graph = { inputs, outputs, getLink: id => links.get(id) };
  const link = (origin, slot, target, place) => {
    links.set(links.size + 1, { origin_id: origin, origin_slot: slot, target_id: target, target_slot: place });
    return links.size;
  };
  graph.rootGraph = root ?? graph;
  graph.nodes = Object.entries(nodes).map(([id, [type, linked, widgets = {}, inside = null]]) => {
    const node = { id: Number(id), type, graph, inputs: [], widgets: [] };
    for (const [name, from] of Object.entries(linked)) {
      const at = from && link(from[0], from[1], node.id, node.inputs.length);
      if (from?.[0] === -10) (inputs[from[1]].linkIds ??= []).push(at);
      node.inputs.push({ name, link: at, type: name === "hrv" ? "HRV" : "*" });
    }
    for (const [name, value] of Object.entries(widgets)) node.widgets.push({ name, value });
    if (inside) node.subgraph = inside(graph.rootGraph);
    return node;
  });
  graph.getNodeById = id => graph.nodes.find(node => node.id === Number(id)) ?? null;
  for (const output of outputs) output.linkIds = [link(output.from[0], output.from[1], -20, 0)];
  return graph;
}
const innermost = root => graphOf({
  1: ["HRVPrompt", { text: [-10, 0] }, { text: "stale" }],
  2: ["HRVConceptAdjust", { hrv: [-10, 1], positive: [1, 0], word: [-10, 2] }, { word: "stale" }],
}, [{ name: "text" }, { name: "vectors" }, { name: "which" }], [{ from: [2, 0] }], root);
const middle = root => graphOf({
  7: ["uuid-innermost", { text: [-10, 0], vectors: [8, 0], which: [-10, 2] }, { text: "old", which: "old" }, innermost],
  8: ["Reroute", { "": [-10, 1] }],
}, [{ name: "prompt" }, { name: "vectors" }, { name: "which" }], [{ from: [7, 0] }], root);
const graph = graphOf({
  3: ["HRVLoad", {}, { file: "mine.safetensors" }],
  4: ["Reroute", { "": [3, 0] }],
  9: ["uuid-middle", { prompt: null, vectors: [4, 0], which: null }, { prompt: "a red cat", which: "red" }, middle],
  5: ["KSampler", { positive: [9, 0] }],
  10: ["PrimitiveString", {}, { value: "a blue dog" }],
  11: ["StringConcatenate", {}, { string_a: "a", string_b: "b" }],
  12: ["HRVReport", {}],
  13: ["StringTrim", { string: [10, 0] }, { string: "stale" }],
  14: ["HRVPrompt", { text: [10, 0] }, { text: "stale" }],
  15: ["HRVPrompt", { text: [11, 0] }, { text: "stale" }],
  16: ["HRVPrompt", { text: [12, 0] }, { text: "stale" }],
  17: ["HRVPrompt", { text: [13, 0] }, { text: "stale" }],
  6: ["uuid-middle", { prompt: null, vectors: null, which: null }, {}, middle],
});
const adjust = nodeOfRun(graph, "9:7:2");
const twice = graphOf({
  1: ["uuid-innermost", { text: null, vectors: null, which: null }, { text: "first" }, innermost],
  2: ["uuid-innermost", { text: null, vectors: null, which: null }, { text: "second" }, innermost],
});
twice.nodes[1].subgraph = twice.nodes[0].subgraph;
const shared = () => twice.nodes[0].subgraph.nodes[1];
"""


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("adjust.type", "HRVConceptAdjust"),
        ("[nodeOfRun(graph, '9:8:2'), nodeOfRun(graph, '3:1'), nodeOfRun(graph, null)]", [None, None, None]),
        ("vectorsOf(adjust)", {"file": "mine.safetensors"}),
        ("promptOf(adjust)", "a red cat"),
        ("textOf(adjust, 'word')", "red"),
        ("sourceOf(adjust, 'word').node.id", 9),
        ("linkedTo(graph.getNodeById(5), 'positive') === adjust", True),
        ("setBy(graph.getNodeById(9), 'which').node === adjust", True),
        ("setBy(graph.getNodeById(9), 'which').name", "word"),
        ("setBy(graph.getNodeById(9), 'nothing')", None),
        ("setBy(graph.getNodeById(3), 'file').name", "file"),
        ("vectorsOf(nodeOfRun(graph, '6:7:2'))", None),
        ("sourceOf(nodeOfRun(graph, '6:7:2'), 'hrv')", None),
        ("[...everyNode(graph)].length", 21),
        ("[14, 15, 16, 17].map(id => textOf(graph.getNodeById(id), 'text'))", ["a blue dog", None, None, None]),
        ("holderOf(graph.getNodeById(14), 'text').name", "value"),
        ("promptOf(shared())", None),
        (
            "(openedFrom.set(twice.nodes[0].subgraph, twice.nodes[1]), promptOf(shared()))",
            "second",
        ),
    ],
)
def test_what_a_node_is_told_is_followed_into_subgraphs_and_out_of_them(tmp_path, value, expected):
    assert traced(tmp_path, GRAPHS, value) == expected
