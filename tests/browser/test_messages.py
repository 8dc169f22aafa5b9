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


def test_a_prompt_with_a_blank_line_does_not_cut_the_message_that_quotes_it(page):
    run(page, False, "a cat\n\non a mat", node="HRVPrompt", field="text")
    page.wait_for_selector(".p-toast-message:has-text('on a mat')", timeout=120_000)
    assert "Nearest words there" in page.inner_text(".p-toast-message:has-text('on a mat')")


@RENDERERS
def test_a_steered_run_shows_its_receipt_and_texts_are_under_their_nodes(page, vue):
    run(page, vue, 1.0 + 0.05 * vue, field="strength")
    page.wait_for_function(SAYS, arg="layers, 20 of 20 steps", timeout=240_000)
