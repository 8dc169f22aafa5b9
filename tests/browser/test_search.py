"""What a person types into the frontend's node search puts the node, or the blueprint, that does it first."""

from __future__ import annotations

import pytest

SEARCH = """query => document.querySelector("#vue-app").__vue_app__.config.globalProperties.$pinia._s
    .get("nodeDef").nodeSearchService.searchNode(query).map(({ name, display_name: title }) => ({ name, title }))"""


@pytest.mark.parametrize(
    ("query", "title"),
    [
        ("fix word", "HRV Fix Word"),
        ("misread word", "Fix a misread word"),
        ("steer", "HRV Concept Adjust"),
        ("attention heads", "HRV Head Concepts"),
        ("prompt weight", "HRV Prompt Weights"),
        ("keep objects", "HRV Attend & Excite"),
        ("edit by prompt", "Edit by prompt"),
    ],
)
def test_the_right_node_comes_first(page, query, title):
    assert page.evaluate(SEARCH, query)[0]["title"] == title


def test_color_finds_nodes_of_the_pack_though_those_named_for_it_come_first(page):
    found = [node["title"] for node in page.evaluate(SEARCH, "color")]
    assert {"HRV Concept Adjust", "HRV SynGen"} <= set(found)
