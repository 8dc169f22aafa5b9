"""What a person sees without a click: an error's own sentence, and what a node did, in both renderers."""

from __future__ import annotations

import pytest

from comfyui_hrv.tests import workflows

RUN = """async ({ graph, node, input, value, vue }) => {
    await app.extensionManager.setting.set("Comfy.VueNodes.Enabled", vue);
    await app.loadGraphData(graph);
    for (const one of app.graph.nodes.filter(one => one.type === node)) {
        one.widgets.find(widget => widget.name === input).value = value;
    }
    await app.queuePrompt(0, 1);
}"""
SAYS = "text => document.body.innerText.includes(text)"
TOAST = ".p-toast-message"
RENDERERS = pytest.mark.parametrize("vue", [False, True], ids=["classic", "Nodes 2.0"])


def run(page, vue: bool, value: str, node: str = "HRVConceptAdjust", field: str = "word") -> None:
    graph = workflows.of_one_image("02 Steer a word, before and after")
    page.evaluate(RUN, {"graph": graph, "node": node, "input": field, "value": value, "vue": vue})


@RENDERERS
def test_a_mistyped_word_shows_its_sentence_without_a_click(page, vue):
    run(page, vue, "oragne")
    page.wait_for_selector(".p-toast-message:has-text('oragne')", timeout=120_000)
    text = page.inner_text(".p-toast-message:has-text('oragne')")
    assert "Nearest" in text and "errors.HRVError" not in text and "custom_nodes" not in text
    page.wait_for_function(SAYS, arg='"oragne"')


MISTAKES = {  # (graph, node, widget, value): what the sentence says
    ("01 Fix a misread word", "HRV Fix Word", "word", "rose"): ('"rose"', '"an orange car"'),
    ("01 Fix a misread word", "HRV Fix Word", "not_meaning", "Plnats"): ('"Plnats"', 'Nearest: "Plants"'),
    ("02 Steer a word, before and after", "HRV Concept Adjust", "desired", "Colour"): ('"Colour"', 'Nearest: "Color"'),
    ("02 Steer a word, before and after", "HRV Concept Adjust", "occurrence", 3): ("orange", "occurrence"),
    ("02 Steer a word, before and after", "HRV Load", "file", "preset: pocket.safetensors"): ("112 heads", "128 heads"),
    ("07 Prompt weights that work", "Weighted words", "a word stronger", "a (blue:1e999) dog"): ("1e999",),
    ("13 Edit by prompt", "Prompt-to-Prompt with HRV", "concept", "Hue"): ('"Hue"', "Nearest"),
    ("18 Keep every object", "Every method", "concepts", "Colr, Shape"): ('"Colr"', 'Nearest: "Color"'),
    ("22 Build head vectors by votes", "HRV Concepts", "custom_yaml", "Color: [red"): ("[red",),
    ("30 See inside head vectors", "Which concept is this head", "heads", "L99/h1"): ('"L99/h1"',),
    ("34 Weaken the heads of a concept", "HRV Weaken", "concept", "Collor"): ('"Collor"', 'Nearest: "Color"'),
}
MISTAKE = """async ({ graph, title, name, value }) => {
    await app.extensionManager.setting.set("Comfy.VueNodes.Enabled", false);
    await app.loadGraphData(graph);
    const node = app.graph.nodes.find(node => node.title === title);
    node.widgets.find(widget => widget.name === name).value = value;
    await app.queuePrompt(0, 1);
}"""


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: f"{mistake[1]} {mistake[2]}")
def test_a_typical_mistake_shows_its_sentence_without_a_click(page, mistake):
    name, title, field, value = mistake
    page.evaluate("() => app.extensionManager.toast.removeAll()")
    page.wait_for_selector(TOAST, state="detached")
    page.evaluate(MISTAKE, {"graph": workflows.of_one_image(name), "title": title, "name": field, "value": value})
    said = page.inner_text(TOAST, timeout=60_000)
    assert [part for part in MISTAKES[mistake] if part not in said] == [], said
    assert "errors.HRVError" not in said and "custom_nodes" not in said


def test_a_prompt_with_a_blank_line_does_not_cut_the_message_that_quotes_it(page):
    run(page, False, "a cat\n\non a mat", node="HRVPrompt", field="text")
    page.wait_for_selector(".p-toast-message:has-text('on a mat')", timeout=120_000)
    assert "Nearest words there" in page.inner_text(".p-toast-message:has-text('on a mat')")


@RENDERERS
def test_a_steered_run_shows_its_receipt_and_texts_are_under_their_nodes(page, vue):
    run(page, vue, 1.0 + 0.05 * vue, field="strength")
    page.wait_for_function(SAYS, arg="layers, 20 of 20 steps", timeout=240_000)
