"""Pictures on nodes, heads and words to point at, and the slider: by mouse and by keys, in both renderers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from comfyui_hrv.hrv_engine.inspection.head_concepts import concepts_of_heads
from comfyui_hrv.hrv_engine.paths import ROOT
from comfyui_hrv.hrv_engine.relevance import files

from .test_frontend import finished_runs, next_finished

PROMPT = "a red star"
NODES = {
    "load": ("HRVLoad", (0, 0), {"file": "preset: pocket.safetensors"}),
    "heat": ("HRVHeatmap", (320, 0), {"concept": "Color, Shape"}),
    "grid": ("HRVHeadConcepts", (320, 420), {}),
    "similar": ("HRVSimilarity", (320, 880), {}),
    "pocket": ("HRVPocketModel", (0, 200), {"model": "squares"}),
    "prompt": ("HRVPrompt", (0, 400), {"text": PROMPT}),
    "fix": ("HRVFixWord", (1040, 0), {"text": PROMPT, "word": "star", "meaning": "Shape"}),
    "maps": ("HRVTokenMaps", (-400, 0), {"steps": 2, "cfg": 1.0}),
    "decode": ("VAEDecode", (0, 700), {}),
    "view": ("HRVTokenMapView", (680, 0), {}),
    "sweep": ("HRVWeakenSweep", (680, 600), {"heads": "0, 9", "orders": "MoRHF", "steps": 2, "cfg": 1.0}),
    "turned": ("ImageInvert", (0, 800), {}),
    "slider": ("HRVBeforeAfter", (1040, 500), {}),
}
LINKS = (
    "load.hrv heat.hrv, load.hrv grid.hrv, load.hrv similar.hrv, load.hrv sweep.hrv, pocket.CLIP prompt.clip,"
    " pocket.MODEL maps.model, prompt.CONDITIONING maps.positive, prompt.CONDITIONING maps.negative,"
    " pocket.LATENT maps.latent_image, maps.LATENT decode.samples, pocket.VAE decode.vae,"
    " maps.token_maps view.token_maps, decode.IMAGE view.image, pocket.MODEL sweep.model,"
    " prompt.CONDITIONING sweep.positive, prompt.CONDITIONING sweep.negative, pocket.VAE sweep.vae,"
    " pocket.LATENT sweep.latent_image, pocket.MODEL fix.model, pocket.CLIP fix.clip, decode.IMAGE turned.image,"
    " decode.IMAGE slider.before, turned.IMAGE slider.after"
)
PICTURED = {"HRVHeatmap", "HRVHeadConcepts", "HRVSimilarity", "HRVTokenMapView", "HRVWeakenSweep"}
MAKE = """async ({ nodes, links, vue }) => {
    await app.extensionManager.setting.set("Comfy.VueNodes.Enabled", vue);
    app.graph.clear();
    const made = {};
    for (const [name, [type, pos, values]] of Object.entries(nodes)) {
        const node = made[name] = LiteGraph.createNode(type);
        node.pos = pos;
        app.graph.add(node);
        for (const [key, value] of Object.entries(values)) {
            node.widgets.find(widget => widget.name === key).value = value;
        }
    }
    for (const [from, to] of links) {
        const [source, output] = from.split("."), [target, input] = to.split(".");
        const slot = made[source].outputs.findIndex(({ name }) => name === output);
        made[source].connect(slot, made[target], made[target].inputs.findIndex(({ name }) => name === input));
    }
    app.canvas.ds.scale = 0.7;
    app.canvas.ds.offset = [450, 120];
    await app.queuePrompt(0, 1);
}"""
BOX = """async type => {
    const { given, pictureBox } = await import("/extensions/comfyui-hrv/js/pictures.js");
    const node = app.graph.nodes.find(node => node.type === type);
    const box = pictureBox(node);
    return box && { ...box, heads: given(node, "hrv_heads") };
}"""
DRAWN = """async types => {
    const { pictureBox } = await import("/extensions/comfyui-hrv/js/pictures.js");
    return types.every(type => pictureBox(app.graph.nodes.find(node => node.type === type))?.width > 40);
}"""
TIP = "() => document.querySelector('.hrv-tip:not([hidden])')?.innerText ?? null"
TRIES, PAUSE = 100, 200  # milliseconds
SHOWS = "() => document.querySelector('.hrv-tip:not([hidden]) img')?.naturalWidth"


@pytest.fixture(scope="module", params=[False, True], ids=["classic", "Nodes 2.0"])
def run(request, page, server) -> Iterator[dict]:
    """The outputs of one run of all these nodes in the frontend; nothing on the page fails meanwhile."""
    failures: list[str] = []

    def note(error) -> None:
        failures.append(str(error))

    page.on("pageerror", note)
    before, kept = finished_runs(server), set((server.base / "output").rglob("*"))
    links = [pair.split() for pair in LINKS.split(",")]
    page.evaluate(MAKE, {"nodes": NODES, "links": links, "vue": request.param})
    outputs = server.client.wait(next_finished(server, before))
    page.wait_for_function(DRAWN, arg=sorted(PICTURED), timeout=60_000)
    assert set((server.base / "output").rglob("*")) == kept, "pictures on nodes are no output"
    yield outputs
    page.remove_listener("pageerror", note)
    assert failures == []


def test_the_pictures_are_on_the_nodes_as_files_of_the_hosts_temp_folder(run):
    shown = [image for output in run.values() for image in output.get("images", ())]
    assert len(shown) == len(PICTURED) + 2 and {image["type"] for image in shown} == {"temp"}


def heads_told(index: int, count: int = 3) -> list[str]:
    hrv = files.load(ROOT / "hrv_presets" / "hrv" / "pocket.safetensors")
    return [f"{told.concept} {told.relevance:.2f}" for told in concepts_of_heads(hrv, [index], count)]


@pytest.mark.parametrize("node", ["HRVHeatmap", "HRVHeadConcepts"])
def test_a_head_that_is_pointed_at_says_where_it_is_and_what_it_carries(run, page, node):
    wanted = "\n".join(["L2/h2 (input 3.0), head 10", *heads_told(10)])
    for _ in range(TRIES):  # nodes grow with their pictures, some frames after these are drawn
        box = page.evaluate(BOX, node)
        heads, scale = box["heads"], box["width"] / box["heads"]["size"][0]
        left, top, width, height = heads["panels"][-1]
        page.mouse.move(box["left"] + (left + 2.5 * width) * scale, box["top"] + (top + 1.5 * height) * scale)
        page.wait_for_timeout(PAUSE)
        told = page.evaluate(TIP)
        if told == wanted:
            break
    assert told == wanted
    page.mouse.move(box["left"] + 2, box["top"] + 2)
    page.wait_for_function(f"() => ({TIP})() === null")


def test_the_arrow_keys_walk_the_heads_and_the_tab_key_leaves_them(run, page):
    line = page.locator(".hrv-heads").first
    line.focus()
    for key in ("Home", "ArrowRight", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
    said = line.get_attribute("aria-valuetext")
    assert said == f"L2/h2 (input 3.0), head 10: {', '.join(heads_told(10))}"
    assert page.evaluate(TIP).startswith("L2/h2")
    line.blur()
    assert page.evaluate(TIP) is None


@pytest.mark.parametrize("row", ["words with token maps", "words of the prompt"])
def test_a_word_that_is_pointed_at_or_focused_shows_its_map(run, page, row):
    """On the view, and on HRV Fix Word, whose prompt is the one that the maps were made of."""
    words = page.locator(f".hrv-words[aria-label='{row}'] button")
    assert words.all_inner_texts() == ["a", "red", "star"]
    words.nth(2).hover()
    page.wait_for_function(SHOWS)
    assert page.evaluate(TIP).strip() == "star"
    words.nth(0).focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("() => document.activeElement.innerText") == "red"
    assert page.evaluate(TIP).strip() == "red"
    words.nth(1).blur()
    page.mouse.move(2, 2)


def test_a_slider_uncovers_what_was_before_by_mouse_and_by_keys(run, page):
    slider = page.locator(".hrv-compare input")
    assert page.locator(".hrv-compare .pair img").count() == 2
    box = slider.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + box["height"] / 2)
    page.mouse.up()
    dragged = int(slider.input_value())
    assert 15 < dragged < 35
    page.keyboard.press("ArrowRight")
    assert slider.get_attribute("aria-valuetext") == f"{dragged + 1} % before, {99 - dragged} % after"
    clip = "() => getComputedStyle(document.querySelector('.hrv-compare .before')).clipPath"
    assert page.evaluate(clip) == f"inset(0px {99 - dragged}% 0px 0px)"
    assert not page.evaluate("() => app.graph.nodes.find(node => node.type === 'HRVBeforeAfter').imgs?.length")
