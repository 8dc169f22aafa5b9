"""Subgraph blueprints: the server offers them, the frontend opens them, and they run on the pocket model."""

from __future__ import annotations

import json

import pytest

from comfyui_hrv.tools.blueprints import BLUEPRINTS, FOLDER

SMALL = {"steps": 2, "seed": 1}
VALUES = {
    "Fix a misread word": SMALL | {"text": "an orange square", "word": "orange", "not_meaning": "Fruit"},
    "Edit by prompt": SMALL | {"source": "a blue square", "target": "a red square", "concept": "Color"},
    "Keep every object": SMALL | {"text": "a tulip and a banana", "words": "tulip, banana"},
    "See inside": {"concept": "Shape"},
}
STORE = """() => document.querySelector("#vue-app").__vue_app__.config.globalProperties.$pinia._s
    .get("subgraph").subgraphBlueprints.map(node => [node.display_name, node.category, node.description])"""
WIRE = """async ({ graph, values }) => {
    await app.loadGraphData(graph);
    const [blueprint] = app.graph.nodes;
    const make = type => { const node = LiteGraph.createNode(type); app.graph.add(node); return node; };
    const place = (sockets, name) => sockets.findIndex(socket => socket.name.toLowerCase() === name.toLowerCase());
    const set = (node, name, value) => { node.widgets.find(widget => widget.name === name).value = value; };
    const loader = make("HRVPocketModel"), vectors = make("HRVLoad");
    set(loader, "model", "squares");
    set(vectors, "file", "preset: pocket.safetensors");
    for (const [node, name] of [..."model clip vae latent".split(" ").map(name => [loader, name]), [vectors, "hrv"]]) {
        const slot = place(blueprint.inputs, name);
        if (slot >= 0) node.connect(place(node.outputs, name), blueprint, slot);
    }
    blueprint.outputs.forEach((output, slot) =>
        blueprint.connect(slot, make(output.type === "IMAGE" ? "PreviewImage" : "PreviewAny"), 0));
    for (const [name, value] of Object.entries(values)) set(blueprint, name, value);
    return (await app.graphToPrompt()).output;
}"""


def test_the_frontend_has_every_blueprint_with_its_description(page):
    page.wait_for_function(f"name => ({STORE})().some(([title]) => title === name)", arg="See inside")
    found = {title: (category, said) for title, category, said in page.evaluate(STORE)}
    for name, (draw, _) in BLUEPRINTS.items():
        assert found[name] == ("Subgraph Blueprints/HRV", draw.__doc__)


@pytest.mark.parametrize("name", BLUEPRINTS)
def test_a_blueprint_runs_on_the_pocket_model_with_the_values_of_its_one_node(page, server, name):
    graph = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    prompt = page.evaluate(WIRE, {"graph": graph, "values": VALUES[name]})
    given = [node["inputs"] for node in prompt.values()]
    for value in VALUES[name].values():
        assert any(value in inputs.values() for inputs in given), value
    outputs = server.client.run(prompt)
    previews = [number for number, output in outputs.items() if "images" in output]
    images = [image for number in previews for image in server.client.images(outputs, number)]
    wanted = {"Fix a misread word": 2, "Edit by prompt": 2, "Keep every object": 1, "See inside": 2}
    shown = {(image.size, image.tobytes()) for image in images}
    assert len(shown) == wanted[name]
