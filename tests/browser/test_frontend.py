"""The shipped workflows in the real frontend: they open whole, and what it sends to the server is accepted."""

from __future__ import annotations

import io
import os
import time

import pytest
from PIL import Image, ImageChops

from comfyui_hrv.tests import workflows
from comfyui_hrv.tools.thumbnails import TWINS, write_thumbnail

OPEN = """async graph => {
    await app.loadGraphData(graph);
    const nodes = app.graph.nodes.flatMap(node => node.subgraph?.nodes ?? [node]);
    const known = LiteGraph.registered_node_types;
    return {
        missing: nodes.filter(node => !(node.type in known)).map(node => node.type),
        faulty: nodes.filter(node => node.has_errors).map(node => node.type),
        prompt: (await app.graphToPrompt()).output,
    };
}"""
FIT = "() => app.extensionManager.command.execute('Comfy.Canvas.FitView')"
NOTES = {"MarkdownNote", "Note"}


@pytest.fixture(params=workflows.NAMES)
def opened(request, page) -> dict:
    """A workflow in the frontend: its name, the nodes it complains about, and its prompt."""
    return {"name": request.param, **page.evaluate(OPEN, workflows.read(request.param))}


def test_every_workflow_opens_without_a_missing_node(opened):
    assert opened["missing"] == []
    assert opened["faulty"] == []
    graph = workflows.read(opened["name"])
    assert len(opened["prompt"]) == len([node for node in workflows.parts(graph) if node["type"] not in NOTES])


def test_what_the_frontend_sends_is_what_the_run_tests_send(opened, server):
    """So that the runs of tests/server hold for what a user's click runs."""
    wanted = workflows.converted(opened["name"], server.client.object_info())
    bare = {number: {"class_type": node["class_type"], "inputs": node["inputs"]} for number, node in wanted.items()}
    sent = {
        number: {"class_type": node["class_type"], "inputs": node["inputs"]}
        for number, node in opened["prompt"].items()
    }
    assert sent == bare


def smallest(prompt: dict) -> dict:
    """The prompt with the smallest images: a step that has begun runs to its end, minutes at full size on a CPU."""
    small = {"width": 64, "height": 64, "batch_size": 1, "amount": 1}
    return {
        number: {
            **node,
            "inputs": {k: small[k] if k in small and type(v) is int else v for k, v in node["inputs"].items()},
        }
        for number, node in prompt.items()
    }


def test_the_server_accepts_what_the_frontend_sends(opened, server):
    server.client.stop(server.client.submit(smallest(opened["prompt"])))


def finished_runs(server, seconds: float = 300) -> set[str]:
    """The ids of all runs, after waiting for those that earlier tests have left."""
    deadline = time.monotonic() + seconds
    while any(server.client.get("/queue").values()):
        assert time.monotonic() < deadline, f"the queue is not empty after {seconds:.0f} seconds"
        time.sleep(0.2)
    return set(server.client.get("/history"))


def next_finished(server, before: set[str], seconds: float = 300) -> str:
    """The id of the first run in the server's history that was not there before."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        new = set(server.client.get("/history")) - before
        if new:
            return new.pop()
        time.sleep(0.5)
    raise AssertionError(f"nothing was run within {seconds:.0f} seconds")


def test_pressing_run_in_the_frontend_draws_the_plain_and_the_steered_images(page, server):
    opened = page.evaluate(OPEN, workflows.of_one_image("02 Steer a word, before and after"))
    before = finished_runs(server)
    page.evaluate("() => app.queuePrompt(0, 1)")
    number = next_finished(server, before)
    outputs = server.client.wait(number)
    shown = [len(outputs[node]["images"]) for node in workflows.nodes_of(opened["prompt"], "PreviewImage")]
    assert len(shown) == 3 and len(set(shown)) == 1 and shown[0] > 0


@pytest.mark.thumbnail
def test_a_thumbnail_shows_the_graph_where_the_images_would_be_noise(opened, page):
    """Only the pocket model draws real images here: its thumbnails come from the runs, those of its twins from it."""
    page.evaluate(FIT)
    page.wait_for_timeout(500)
    shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    canvas = shot.crop((70, 100, shot.width - 20, shot.height - 60))
    assert len(canvas.getcolors(maxcolors=1 << 24) or []) > 50, "the canvas is blank"
    empty = Image.new("RGB", canvas.size, canvas.getpixel((0, 0)))
    left, top, right, bottom = ImageChops.difference(canvas, empty).point(lambda value: 255 * (value > 12)).getbbox()
    canvas = canvas.crop((max(0, left - 10), max(0, top - 10), right + 10, bottom + 10))
    alone = opened["name"][:2] not in TWINS and not workflows.nodes_of(opened["prompt"], "HRVPocketModel")
    if os.environ.get("HRV_WRITE_THUMBNAILS") and alone:
        write_thumbnail(opened["name"], [canvas])
