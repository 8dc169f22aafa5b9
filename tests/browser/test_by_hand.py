"""HRV Fix Word put into the graph that a fresh ComfyUI opens, by hand, action by action; and used by keys alone."""

from __future__ import annotations

import numpy as np

from comfyui_hrv.tests import workflows

from .test_frontend import finished_runs, next_finished
from .test_messages import RENDERERS
from .test_touch import OPEN, VALUE

MOST_ACTIONS = 15
SAYS = "text => document.body.innerText.includes(text)"
DEFAULT = """async () => {
    await app.extensionManager.setting.set("Comfy.VueNodes.Enabled", false);
    await app.loadGraphData();
    app.canvas.ds.scale = 0.8;
    app.canvas.ds.offset = [80, 0];
    app.canvas.setDirty(true, true);
}"""
PLACE = """([x, y]) => {
    const [left, top] = app.canvas.ds.convertOffsetToCanvas([x, y]);
    const box = app.canvas.canvas.getBoundingClientRect();
    return [box.left + left, box.top + top];
}"""
SLOT = """([type, kind, name]) => {
    const nodes = app.graph.nodes.filter(node => node.type === type);
    const node = nodes.at(-1); // of two CLIP Text Encode the negative one
    const slot = node[kind].findIndex(slot => slot.name === name);
    return [...(kind === "inputs" ? node.getInputPos(slot) : node.getOutputPos(slot))];
}"""
FIX_WORD_ALONE = """() => {
    for (const node of app.graph.nodes.filter(node => node.type === "KSampler")) {
        node.widgets.find(widget => widget.name === "steps").value = 2;
    }
    const fix = app.graph.nodes.find(node => node.type === "HRVFixWord");
    fix.widgets.find(widget => widget.name === "not_meaning").value = "Plants";
    app.canvas.ds.scale = 1;
    app.canvas.centerOnNode(fix);
    app.canvas.draw(true, true);
}"""
HAS = "type => app.graph.nodes.some(node => node.type === type)"
PROMPT = "textarea[placeholder='a vase in lavender color']"
SEARCH, SETTLED = "Add a node...", 500  # the search field's placeholder; milliseconds for a graph to be drawn
FIRST_FOUND = "title => document.querySelector('#results-list [role=option]')?.innerText.includes(title)"


class Hand:
    """A person at the page, with a count of clicks, drags and texts (a click into their field, or Enter, included)."""

    def __init__(self, page) -> None:
        self.page, self.actions = page, 0

    def place(self, x: float, y: float) -> None:
        """Put down the new node, which follows the pointer."""
        self.page.mouse.click(*self.page.evaluate(PLACE, [x, y]))
        self.actions += 1

    def open_search(self, x: float, y: float) -> None:
        self.page.mouse.dblclick(*self.page.evaluate(PLACE, [x, y]))
        self.page.get_by_placeholder(SEARCH).wait_for()
        self.actions += 1

    def drag(self, source: str, output: str, target: str, name: str) -> None:
        """From an output of a node to an input of another."""
        for slot, press in (([source, "outputs", output], "down"), ([target, "inputs", name], "up")):
            self.page.mouse.move(*self.page.evaluate(PLACE, self.page.evaluate(SLOT, slot)), steps=4)
            getattr(self.page.mouse, press)()
        self.actions += 1

    def drag_into_search(self, source: str, output: str, x: float, y: float) -> None:
        """From an output to an empty place, with Shift, where the search opens for a node to connect."""
        self.page.mouse.move(*self.page.evaluate(PLACE, self.page.evaluate(SLOT, [source, "outputs", output])))
        self.page.mouse.down()
        self.page.keyboard.down("Shift")
        self.page.mouse.move(*self.page.evaluate(PLACE, [x, y]), steps=4)
        self.page.mouse.up()
        self.page.keyboard.up("Shift")
        self.page.get_by_placeholder(SEARCH).wait_for()
        self.actions += 1

    def choose(self, query: str, kind: str) -> None:
        """Type into the search that is open, and take what comes first, which is the node of this class."""
        self.page.keyboard.type(query)
        title = self.page.evaluate("kind => LiteGraph.registered_node_types[kind].title", kind)
        self.page.wait_for_function(FIRST_FOUND, arg=title)
        self.page.keyboard.press("Enter")
        self.page.wait_for_function(HAS, arg=kind)
        self.page.get_by_placeholder(SEARCH).wait_for(state="hidden")
        self.actions += 1

    def click(self, selector: str) -> None:
        self.page.click(selector)
        self.actions += 1

    def write(self, locator, text: str) -> None:
        locator.fill(text)
        self.actions += 1


def test_a_word_is_fixed_by_hand_in_few_actions(page, server):
    page.evaluate(DEFAULT)
    hand = Hand(page)
    page.wait_for_function(HAS, arg="SaveImage")
    page.wait_for_timeout(SETTLED)
    hand.open_search(80, 780)
    hand.choose("pocket model", "HRVPocketModel")
    hand.place(200, 780)
    hand.drag_into_search("HRVPocketModel", "MODEL", 620, 780)
    hand.choose("fix word", "HRVFixWord")
    hand.place(620, 780)
    for link in (
        "HRVPocketModel.CLIP HRVFixWord.clip",
        "HRVPocketModel.CLIP CLIPTextEncode.clip", "HRVPocketModel.VAE VAEDecode.vae",
        "HRVPocketModel.LATENT KSampler.latent_image", "HRVFixWord.MODEL KSampler.model",
        "HRVFixWord.CONDITIONING KSampler.positive",
    ):  # fmt: skip
        hand.drag(*link.replace(" ", ".").split("."))
    hand.write(page.locator(PROMPT), "an orange car")
    hand.click(".hrv-words button:has-text('orange')")
    before = finished_runs(server)
    hand.click("[data-testid='queue-button']")
    number = next_finished(server, before)
    outputs = server.client.wait(number)
    page.wait_for_function(SAYS, arg='"orange" means')
    prompt = server.client.get(f"/history/{number}")[number]["prompt"][2]
    assert hand.actions <= MOST_ACTIONS
    (saved,) = workflows.nodes_of(prompt, "SaveImage")
    neutral = server.client.run(workflows.with_values(prompt, strength=0.0))
    steered, plain = (np.asarray(server.client.images(run, saved)[0], int) for run in (outputs, neutral))
    assert np.abs(steered - plain).mean() > 1


FOCUS = "() => document.activeElement.innerText ?? ''"
MOST_TABS = 12


@RENDERERS
def test_fix_word_is_used_by_keys_alone(page, server, vue):
    """The prompt is typed, Tab leads to its words, arrow keys to the misread one, Space chooses, Ctrl and Enter run."""
    graph = workflows.of_one_image("01 Fix a misread word")
    page.evaluate(OPEN, {"graph": graph, "vue": vue})
    page.evaluate(FIX_WORD_ALONE)
    number = page.evaluate("() => app.graph.nodes.find(node => node.type === 'HRVFixWord').id")
    page.locator(f"[data-node-id='{number}'] textarea" if vue else PROMPT).focus()
    page.keyboard.press("Control+a")
    page.keyboard.type("a rose shirt")
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        if page.evaluate("() => Boolean(document.activeElement.closest('.hrv-words'))"):
            break
    assert page.evaluate(FOCUS) == "a"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    assert page.evaluate(VALUE, ["HRVFixWord", "word"]) == page.evaluate(FOCUS) == "rose"
    before = finished_runs(server)
    page.keyboard.press("Control+Enter")
    prompt = server.client.get(f"/history/{next_finished(server, before)}")
    ((_, run),) = prompt.items()
    (fix,) = workflows.nodes_of(run["prompt"][2], "HRVFixWord")
    assert run["prompt"][2][fix]["inputs"]["text"] == "a rose shirt"
    assert '"rose" means Color' in run["outputs"][fix]["text"][0]
