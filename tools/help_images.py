"""`make help-images`: a picture of every node at work, in the graph that teaches it: web/docs/images/<node>.webp.

Graphs of the pocket model are run first, so that what their nodes show is in the picture; the others are only opened.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections.abc import Iterator
from typing import Any

from PIL import Image
from playwright.sync_api import Page, Playwright, sync_playwright

from hrv_engine.paths import ROOT, WORKFLOWS

from .chromium import find_chromium
from .server import ComfyServer

FOLDER = ROOT / "web" / "docs" / "images"
WIDTH, HEIGHT, MARGIN = 1800, 1200, 120
READY = "() => window.app?.graph && window.LiteGraph?.registered_node_types?.HRVPrompt"
INSIDE = {"HRVGuidanceLosses"}  # seen in a subgraph that is run: fields are empty in there, and it has none
SECONDS = 1000  # of Playwright's milliseconds
ALONE = """type => {
    app.graph.clear();
    const node = LiteGraph.createNode(type);
    node.pos = [200, 200];
    app.graph.add(node);
}"""
ENTER = """type => {
    const root = app.rootGraph ?? app.graph, has = graph => graph.nodes.some(one => one.type === type);
    app.canvas.setGraph(has(root) ? root : root.nodes.map(one => one.subgraph).find(one => one && has(one)));
}"""
LOOK_AT = """([type, width, height, margin]) => {
    const graph = app.canvas.graph, node = graph.nodes.find(one => one.type === type);
    const shown = [node];
    for (const output of node.outputs ?? [])
        for (const link of output.links ?? []) {
            const next = graph.getNodeById(graph.getLink(link).target_id);
            if (!next) continue;
            if (/^Preview/.test(next.type)) shown.push(next);
        }
    const title = LiteGraph.NODE_TITLE_HEIGHT;
    const left = Math.min(...shown.map(one => one.pos[0])), top = Math.min(...shown.map(one => one.pos[1])) - title;
    const right = Math.max(...shown.map(one => one.pos[0] + one.size[0]));
    const bottom = Math.max(...shown.map(one => one.pos[1] + one.size[1]));
    const scale = Math.min(1, (width - 2 * margin) / (right - left), (height - 2 * margin) / (bottom - top));
    const view = app.canvas.ds;
    view.scale = scale;
    view.offset = [width / 2 / scale - (left + right) / 2, height / 2 / scale - (top + bottom) / 2];
    app.canvas.deselectAll?.();
    app.canvas.setDirty(true, true);
    return [(right - left) * scale + 24, (bottom - top) * scale + 24];
}"""


def main() -> None:
    """Write the pictures of the named nodes, or of all."""
    parser = argparse.ArgumentParser(prog="python -m tools.help_images", description=__doc__)
    parser.add_argument("nodes", nargs="*", help="ids such as HRVWeaken; default: every node of the pack")
    wanted = set(parser.parse_args().nodes)
    FOLDER.mkdir(parents=True, exist_ok=True)
    with ComfyServer() as server, sync_playwright() as playwright:
        _stand_ins(server)
        every = {name for name in server.client.object_info() if name.startswith("HRV")}
        left = wanted & every or every
        page = _frontend(playwright, server)
        graphs = _pocket_first()
        for name, graph, nodes in [
            *((name, graph, {node["type"] for node in graph["nodes"]} - INSIDE) for name, graph in graphs),
            *((name, graph, {node["type"] for node in _nodes(graph)}) for name, graph in graphs),
        ]:
            if here := sorted(left & nodes):
                _open(page, server, graph)
                for node in here:
                    sys.stdout.write(f"{node} from {name}: {_picture(page, node)} KB\n")
                left -= set(here)
        for node in sorted(left):  # no graph has it
            page.evaluate(ALONE, node)
            sys.stdout.write(f"{node} alone: {_picture(page, node)} KB\n")


def _pocket_first() -> list[tuple[str, dict[str, Any]]]:
    graphs = [(path.stem, json.loads(path.read_text(encoding="utf-8"))) for path in sorted(WORKFLOWS.glob("*.json"))]
    return sorted(graphs, key=lambda each: not _runs(each[1]))


def _stand_ins(server: ComfyServer) -> None:
    """Empty files under the names of checkpoints that graphs fetch, so that no loader has a red frame."""
    for _, graph in _pocket_first():
        for node in _nodes(graph):
            for model in node.get("properties", {}).get("models", []):
                path = server.models / model["directory"] / model["name"]
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()


def _nodes(graph: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The nodes of a graph and of its subgraphs."""
    yield from graph["nodes"]
    for part in graph.get("definitions", {}).get("subgraphs", []):
        yield from part["nodes"]


def _runs(graph: dict[str, Any]) -> bool:
    """Whether the graph draws with the model that ships."""
    types = {node["type"] for node in graph["nodes"]}
    return "HRVPocketModel" in types and "CheckpointLoaderSimple" not in types


def _frontend(playwright: Playwright, server: ComfyServer) -> Page:
    """ComfyUI's frontend with nothing over the graph."""
    hidden = {"Comfy.Minimap.Visible": False, "Comfy.Graph.CanvasInfo": False, "Comfy.TutorialCompleted": True}
    server.client.fetch("/settings", hidden)
    browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
    page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
    page.set_default_timeout(600 * SECONDS)
    page.goto(f"{server.client.url}/")
    page.wait_for_function(READY)
    return page


def _open(page: Page, server: ComfyServer, graph: dict[str, Any]) -> None:
    """Open a graph, and run it if it can be run."""
    page.evaluate("graph => app.loadGraphData(graph)", graph)
    if _runs(graph):
        before = set(server.client.get("/history"))
        page.evaluate("() => app.queuePrompt(0, 1)")
        while not set(server.client.get("/history")) - before:
            page.wait_for_timeout(500)


def _picture(page: Page, node: str) -> int:
    """Take the picture of a node of the open graph; its size in KB."""
    page.evaluate(ENTER, node)
    page.wait_for_timeout(1000)  # the frontend then goes where this part was looked at last
    size = page.evaluate(LOOK_AT, [node, WIDTH, HEIGHT, MARGIN])
    page.wait_for_timeout(1000)
    return _cut(page.screenshot(), size, node)


def _cut(shot: bytes, size: list[float], node: str) -> int:
    """Write the middle of a screenshot; its size in KB."""
    image = Image.open(io.BytesIO(shot)).convert("RGB")
    width, height = (min(side, full) for side, full in zip(size, image.size, strict=True))
    left, top = (image.width - width) / 2, (image.height - height) / 2
    picture = image.crop((int(left), int(top), int(left + width), int(top + height)))
    picture.thumbnail((1000, 800), Image.Resampling.LANCZOS)
    path = FOLDER / f"{node}.webp"
    picture.save(path, quality=80, method=6)
    return path.stat().st_size // 1024


if __name__ == "__main__":
    main()
