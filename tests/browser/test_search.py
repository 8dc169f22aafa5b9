"""What a person types into the frontend's node search puts the node that does it first."""

from __future__ import annotations

import pytest

SEARCH = """query => document.querySelector("#vue-app").__vue_app__.config.globalProperties.$pinia._s
    .get("nodeDef").nodeSearchService.searchNode(query).map(({ name, display_name: title }) => ({ name, title }))"""


@pytest.mark.parametrize(
    ("query", "node"),
    [
        ("fix word", "HRVFixWord"),
        ("misread word", "HRVFixWord"),
        ("steer", "HRVConceptAdjust"),
        ("attention heads", "HRVHeadConcepts"),
        ("prompt weight", "HRVPromptWeights"),
        ("keep objects", "HRVAttendExcite"),
        ("edit by prompt", "HRVP2PEdit"),
    ],
)
def test_the_right_node_comes_first(page, query, node):
    assert page.evaluate(SEARCH, query)[0]["name"] == node


def test_color_finds_nodes_of_the_pack_right_after_those_named_for_it(page):
    found = page.evaluate(SEARCH, "color")
    before = found[: next(place for place, node in enumerate(found) if node["name"].startswith("HRV"))]
    assert [node for node in before if "color" not in f"{node['name']} {node['title']}".lower()] == []
