"""The English locale says what the node schemas say; it would hide a tooltip changed only in the code."""

import json
from pathlib import Path

import pytest

from comfyui_hrv.nodes import node_classes
from comfyui_hrv.nodes.host.folders import register_folders
from comfyui_hrv.tools.make_locales import node_text

ROOT = Path(__file__).parents[2]
NODES = json.loads((ROOT / "locales" / "en" / "nodeDefs.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("node", node_classes(), ids=lambda node: node.__name__)
def test_the_english_locale_repeats_the_schema_of_the_node(node: type):
    """When this fails after a change of a schema, run tools/make_locales.py (and look at the help page)."""
    register_folders()
    schema = vars(node.GET_SCHEMA().get_v1_info(node))
    assert node_text(schema) == NODES[schema["name"]]
