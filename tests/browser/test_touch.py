"""What web/js adds: words to click, concepts to pick, texts that come back, colours; in both renderers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from comfyui_hrv.tests import workflows

from .test_messages import RENDERERS

NAME = "01 Fix a misread word"
OPEN = """async ({ graph, vue }) => {
    await app.extensionManager.setting.set("Comfy.VueNodes.Enabled", vue);
    await app.loadGraphData(graph);
}"""
VALUE = """([type, name]) => app.graph.nodes.find(node => node.type === type)
    .widgets.find(widget => widget.name === name).value"""
CENTRE = """([type, name]) => {
    const node = app.graph.nodes.find(node => node.type === type);
    const widget = node.widgets.find(widget => widget.name === name);
    app.canvas.centerOnNode(node);
    app.canvas.ds.scale = 1;
    app.canvas.centerOnNode(node);
    app.canvas.draw(true, true);
    const [x, y] = app.canvas.ds.convertOffsetToCanvas([node.pos[0] + node.size[0] / 2, node.pos[1] + widget.y + 10]);
    const box = app.canvas.canvas.getBoundingClientRect();
    return [box.left + x, box.top + y];
}"""
PICKS = "() => [...document.querySelectorAll('#hrv-picks option')].map(option => option.value)"
RUN = """strength => {
    const values = { strength, steps: 2, amount: 1 };
    for (const widget of app.graph.nodes.flatMap(node => node.widgets ?? [])) {
        if (widget.name in values) widget.value = values[widget.name];
    }
    return app.queuePrompt(0, 1);
}"""
SHOWN = """text => app.graph.nodes.find(node => node.type === "HRVFixWord")
    .widgets.some(widget => widget.name === "$$node-text-preview" && String(widget.value).includes(text))"""
CONCEPTS = ["Animals", "Plants", "Fruits and Vegetables"]


@pytest.fixture(params=[False, True], ids=["classic", "Nodes 2.0"])
def renderer(request, page) -> Iterator[bool]:
    """Whether nodes are drawn by Vue; graph 01 is open, and nothing on the page fails in the test."""
    failures: list[str] = []

    def note(error) -> None:
        failures.append(str(error))

    page.on("pageerror", note)
    page.evaluate(OPEN, {"graph": workflows.read(NAME), "vue": request.param})
    page.evaluate(CENTRE, ["HRVFixWord", "word"])
    yield request.param
    page.remove_listener("pageerror", note)
    assert failures == []


def field(page, vue: bool, node: str, name: str):
    """The text field of a widget, opened as a person opens it."""
    if vue:
        number = page.evaluate("type => app.graph.nodes.find(node => node.type === type).id", node)
        return page.locator(f"[data-node-id='{number}'] input[aria-label='{name}']")
    page.mouse.click(*page.evaluate(CENTRE, [node, name]))
    return page.locator(".graphdialog input.value")


def test_a_click_on_a_word_of_the_prompt_chooses_it(page, renderer):
    page.click(".hrv-words button:has-text('car')")
    assert page.evaluate(VALUE, ["HRVFixWord", "word"]) == "car"
    pressed = page.locator(".hrv-words button[aria-pressed='true']")
    assert pressed.all_inner_texts() == ["car"]


def test_concepts_of_the_vectors_are_offered_and_any_text_can_be_typed(page, renderer):
    asked = field(page, renderer, "HRVFixWord", "meaning")
    asked.click()
    page.wait_for_function(f"({PICKS})().length")
    assert page.evaluate(PICKS)[:3] == CONCEPTS
    asked.fill("Color,")
    assert page.evaluate(PICKS)[0] == "Color, Animals"
    asked.fill("Plants, Color")
    asked.press("Enter")
    page.wait_for_function(f"value => ({VALUE})(['HRVFixWord', 'meaning']) === value", arg="Plants, Color")


def test_words_of_the_prompt_are_offered(page, renderer):
    asked = field(page, renderer, "HRVFixWord", "word")
    asked.click()
    page.wait_for_function(f"({PICKS})().length")
    assert page.evaluate(PICKS) == ["an", "orange", "car"]
    asked.press("Escape")


@RENDERERS
def test_links_of_the_packs_types_have_colours(page, vue):
    page.evaluate(OPEN, {"graph": workflows.read("02 Steer a word, before and after"), "vue": vue})
    assert page.evaluate("() => LGraphCanvas.link_type_colors.HRV") == "#4fb3bf"
    style = "() => getComputedStyle(document.documentElement).getPropertyValue('--color-datatype-HRV')"
    assert page.evaluate(style).strip() == "#4fb3bf"


@RENDERERS
def test_a_text_comes_back_when_the_same_graph_is_opened_and_run_again(page, vue):
    """The server has its nodes in its cache by then, so that they do not run."""
    page.evaluate(OPEN, {"graph": workflows.read(NAME), "vue": vue})
    page.evaluate(RUN, 0.3 + 0.1 * vue)
    page.wait_for_function(SHOWN, arg="2 of 2 steps", timeout=240_000)
    assert page.evaluate(SHOWN, '"orange" means Color, not Fruits and Vegetables')
    page.evaluate(OPEN, {"graph": workflows.read(NAME), "vue": vue})
    assert not page.evaluate(SHOWN, "orange")
    page.evaluate(RUN, 0.3 + 0.1 * vue)
    page.wait_for_function(SHOWN, arg='"orange" means Color, not Fruits and Vegetables', timeout=60_000)


def test_a_graph_that_was_saved_with_the_words_on_it_opens_as_it_was(page, renderer):
    page.click(".hrv-words button:has-text('car')")
    before = page.evaluate("async () => (await app.graphToPrompt()).output")
    page.evaluate(OPEN, {"graph": page.evaluate("() => app.graph.serialize()"), "vue": renderer})
    assert page.evaluate("async () => (await app.graphToPrompt()).output") == before
    assert page.evaluate(VALUE, ["HRVFixWord", "word"]) == "car"


INSIDE = "38 Score two methods"  # whose steering node is in a subgraph, its fields on the node that stands for that


@pytest.fixture(params=[False, True], ids=["classic", "Nodes 2.0"])
def with_subgraphs(request, page) -> bool:
    """Whether nodes are drawn by Vue; a graph with subgraphs is open, small enough to run."""
    page.evaluate(OPEN, {"graph": workflows.read(INSIDE), "vue": request.param})
    page.evaluate("() => { app.graph.nodes.find(node => node.type === 'RepeatLatentBatch').widgets[0].value = 2; }")
    return request.param


def test_fields_of_a_subgraph_offer_what_those_inside_do(page, with_subgraphs):
    kind = page.evaluate("() => app.graph.nodes.find(node => node.title === 'Plain and adjusted').type")
    asked = field(page, with_subgraphs, kind, "desired")
    asked.click()
    page.wait_for_function(f"({PICKS})().length")
    assert page.evaluate(PICKS)[:3] == CONCEPTS
    asked.press("Escape")
    asked = field(page, with_subgraphs, kind, "word")
    asked.click()
    page.wait_for_function(f"({PICKS})()[0] === 'an'")
    assert page.evaluate(PICKS) == ["an", "olive", "car"]
    asked.press("Escape")


def test_an_error_in_a_subgraph_is_told_under_the_name_of_its_node(page, with_subgraphs):
    page.evaluate("""() => {
        const part = app.graph.nodes.find(node => node.title === "Plain and adjusted");
        part.widgets.find(widget => widget.name === "desired").value = "Colour";
        return app.queuePrompt(0, 1);
    }""")
    page.wait_for_selector(".p-toast-message:has-text('Colour')", timeout=120_000)
    text = page.inner_text(".p-toast-message:has-text('Colour')")
    assert "HRV Concept Adjust" in text and 'Nearest: "Color"' in text


@RENDERERS
def test_fix_word_in_a_subgraph_shows_the_words_outside_and_chooses_there(page, vue):
    page.evaluate(OPEN, {"graph": workflows.read("23 Build head vectors by effect"), "vue": vue})
    words = """() => {
        const part = app.graph.nodes.find(node => node.subgraph?.nodes.some(one => one.type === "HRVFixWord"));
        const fix = part.subgraph.nodes.find(node => node.type === "HRVFixWord");
        return [...fix.hrvWords.box.children].map(button => button.textContent);
    }"""
    page.wait_for_function(f"({words})().length")
    assert page.evaluate(words) == ["an", "orange", "car"]
    page.evaluate(words.replace("return", "[...fix.hrvWords.box.children][2].click(); return"))
    prompt = page.evaluate("async () => (await app.graphToPrompt()).output")
    (fix,) = workflows.nodes_of(prompt, "HRVFixWord")
    assert prompt[fix]["inputs"]["word"] == "car"
