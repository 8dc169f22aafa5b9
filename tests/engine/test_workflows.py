"""The shipped graphs are tidy and whole; that they run is shown by the server and browser tests."""

import json
import re
from pathlib import Path

import pytest
from PIL import Image, ImageStat

ROOT = Path(__file__).parents[2]
PATHS = sorted((ROOT / "workflows").glob("*.json"))
NODES = json.loads((ROOT / "locales" / "en" / "nodeDefs.json").read_text(encoding="utf-8"))
TITLE = 30  # px of title bar above a node's position
Box = tuple[float, float, float, float]


def read(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def box(node: dict) -> Box:
    (x, y), (width, height) = node["pos"], node["size"]
    return x, y - TITLE, x + width, y + height


def frame(group: dict) -> Box:
    x, y, width, height = group["bounding"]
    return x, y, x + width, y + height


def overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def inside(a: Box, b: Box) -> bool:
    return b[0] <= a[0] and b[1] <= a[1] and a[2] <= b[2] and a[3] <= b[3]


def overlapping(boxes: list[Box]) -> list[tuple[Box, Box]]:
    return [(a, b) for i, a in enumerate(boxes) for b in boxes[:i] if overlap(a, b)]


def parts(graph: dict) -> list[dict]:
    """The nodes of a graph, those of its subgraphs instead of the nodes that stand for these."""
    inner = {part["id"]: part["nodes"] for part in graph.get("definitions", {}).get("subgraphs", [])}
    return [part for node in graph["nodes"] for part in inner.get(node["type"], [node])]


def test_the_graphs_are_flat_files_numbered_without_a_gap():
    assert [path.name[:3] for path in PATHS] == [f"{i:02d} " for i in range(1, len(PATHS) + 1)]
    assert [path.name for path in (ROOT / "workflows").iterdir() if path.is_dir()] == ["api"]


def test_every_graph_lies_as_a_prompt_in_api_and_none_besides():
    prompts = {path.stem: read(path) for path in (ROOT / "workflows" / "api").iterdir()}
    assert set(prompts) == {path.stem for path in PATHS}
    for path in PATHS:
        types = sorted(node["type"] for node in parts(read(path)) if node["type"] not in ("MarkdownNote", "Note"))
        assert sorted(node["class_type"] for node in prompts[path.stem].values()) == types


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
class TestGraph:
    def test_its_image_for_the_template_browser_lies_beside_it(self, path: Path):
        image = path.with_suffix(".jpg")
        assert image.is_file(), f"workflows/{image.name} is missing: `make thumbnails`"
        with Image.open(image) as opened:
            assert opened.format == "JPEG" and min(opened.size) >= 200
            assert max(ImageStat.Stat(opened.convert("L")).stddev) > 5, "the image is blank"

    def test_nodes_and_groups_do_not_overlap_and_every_node_sits_in_a_group(self, path: Path):
        graph = read(path)
        nodes, groups = list(map(box, graph["nodes"])), list(map(frame, graph["groups"]))
        assert overlapping(nodes) == []
        assert overlapping(groups) == []
        assert [node for node in nodes if not any(inside(node, group) for group in groups)] == []

    def test_links_run_from_left_to_right_and_agree_with_the_slots_at_both_ends(self, path: Path):
        graph = read(path)
        nodes = {node["id"]: node for node in graph["nodes"]}
        for number, source, out, target, slot, kind in graph["links"]:
            output, entry = nodes[source]["outputs"][out], nodes[target]["inputs"][slot]
            assert number in output["links"] and entry["link"] == number
            assert kind == output["type"] and entry["type"] in (kind, "*")
            assert nodes[source]["pos"][0] <= nodes[target]["pos"][0]
        linked = [entry["link"] for node in nodes.values() for entry in node["inputs"] if entry["link"] is not None]
        assert sorted(linked) == sorted(link[0] for link in graph["links"])

    def test_our_nodes_have_the_inputs_of_today_and_a_value_for_every_widget(self, path: Path):
        for node in parts(read(path)):
            widgets = [entry["widget"]["name"] for entry in node["inputs"] if "widget" in entry]
            seeds = sum(name in ("seed", "noise_seed", "pair") for name in widgets)  # with their control_after_generate
            note = node["type"] == "MarkdownNote"
            assert len(node["widgets_values"]) == (1 if note else len(widgets) + seeds)
            if node["type"].startswith("HRV"):
                assert {entry["name"] for entry in node["inputs"]} == set(NODES[node["type"]]["inputs"])

    def test_it_is_seen_whole_on_a_screen_of_1800_by_1000(self, path: Path):
        frames = [frame(group) for group in read(path)["groups"]]
        left, top, right, bottom = zip(*frames, strict=True)
        assert max(right) - min(left) <= 1800 and max(bottom) - min(top) <= 1000

    def test_a_subgraph_has_a_value_for_every_widget_and_lies_tidy(self, path: Path):
        graph = read(path)
        for part in graph.get("definitions", {}).get("subgraphs", []):
            (node,) = (node for node in graph["nodes"] if node["type"] == part["id"])
            widgets = [entry["name"] for entry in node["inputs"] if "widget" in entry]
            assert len(node["widgets_values"]) == len(widgets) == len(node["properties"]["proxyWidgets"])
            assert overlapping(list(map(box, part["nodes"]))) == []
            fed = {entry["link"] for inner in part["nodes"] for entry in inner["inputs"] if entry["link"] is not None}
            assert fed == {link["id"] for link in part["links"] if link["target_id"] > 0}

    def test_a_note_says_what_to_do_and_sends_people_to_graphs_that_exist(self, path: Path):
        graph = read(path)
        notes = [node["widgets_values"][0] for node in graph["nodes"] if node["type"] == "MarkdownNote"]
        assert graph["version"] == 0.4
        assert len(notes) == 1 and "run" in notes[0].lower()
        assert set(re.findall(r"\*\*(\d\d .+?)\*\*", notes[0])) <= {other.stem for other in PATHS}


PAGES = sorted((ROOT / "web" / "docs").glob("HRV*.md"))
NAMED = re.compile(r"`(\d\d [^`]+)`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_help_page_names_a_graph_in_which_its_node_is(page):
    """And no graph that does not exist."""
    named = NAMED.findall(" ".join(page.read_text(encoding="utf-8").split()))
    graphs = {path.stem: {node["type"] for node in parts(read(path))} for path in PATHS}
    assert set(named) <= set(graphs)
    assert any(page.stem in graphs[name] for name in named)
