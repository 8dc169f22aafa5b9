"""What a user's ComfyUI shows of the pack: nodes, their help, the templates and the translations."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from comfyui_hrv.tools.blueprints import BLUEPRINTS, FOLDER, blueprint_of
from hrv_engine.errors import HRVError

PACK = "comfyui-hrv"
NODES = {
    "HRVFixWord",
    "HRVPocketModel",
    "HRVPrompt",
    "HRVTagConditioning",
    "HRVConcepts",
    "HRVPromptSet",
    "HRVBuild",
    "HRVLoad",
    "HRVSave",
    "HRVMerge",
    "HRVImport",
    "HRVConceptStrengthen",
    "HRVConceptAdjust",
    "HRVPromptWeights",
    "HRVReferenceStrength",
    "HRVHeatmap",
    "HRVSimilarity",
    "HRVTopHeads",
    "HRVCompare",
    "HRVBeforeAfter",
    "HRVHeadConcepts",
    "HRVTSNE",
    "HRVWeaken",
    "HRVWeakenSweep",
    "HRVLogitScale",
    "HRVReport",
    "HRVTokenMaps",
    "HRVTokenMapView",
    "HRVWeakeningPrompts",
    "HRVEditingPrompts",
    "HRVPocketScorer",
    "HRVCLIPScorer",
    "HRVScoreImages",
    "HRVWeakenCurve",
}


@pytest.fixture(scope="module")
def nodes(server) -> dict[str, dict]:
    """The pack's entries of /object_info."""
    return {
        name: info
        for name, info in server.client.object_info().items()
        if info["python_module"] == f"custom_nodes.{PACK}"
    }


def inputs_of(info: dict) -> dict[str, dict]:
    """Input name -> its options, required and optional."""
    return {
        name: (spec[1] if len(spec) > 1 else {})
        for group in ("required", "optional")
        for name, spec in info["input"].get(group, {}).items()
    }


def test_the_log_has_no_failed_import(server):
    log = server.log()
    assert PACK in log
    assert "IMPORT FAILED" not in log
    assert "Error while calling comfy_entrypoint" not in log


def test_every_node_of_the_pack_is_there_under_its_stable_id(nodes):
    assert set(nodes) >= NODES
    assert all(name.startswith("HRV") for name in nodes)


def test_every_node_is_found_by_category_description_and_search(nodes):
    for name, info in nodes.items():
        assert info["category"].startswith("HRV"), name
        assert info["display_name"] and info["display_name"] != name, name
        assert len(info["description"]) > 20, name
        assert info["search_aliases"], name


def test_every_input_has_a_tooltip(nodes):
    mute = [
        f"{node}.{name}"
        for node, info in nodes.items()
        for name, spec in inputs_of(info).items()
        if not spec.get("tooltip")
    ]
    assert mute == []


def test_every_node_has_a_help_page(server, nodes):
    for name in nodes:
        page = server.client.fetch(f"/extensions/{PACK}/docs/{name}.md").decode()
        assert page.startswith("#"), name
        assert server.client.fetch(f"/extensions/{PACK}/docs/images/{name}.webp").startswith(b"RIFF"), name
        missing = [word for word in inputs_of(nodes[name]) if word not in page]
        assert missing == [], f"{name}.md does not mention these inputs"


def test_every_help_page_belongs_to_a_node(repository: Path, nodes):
    assert {page.stem for page in (repository / "web" / "docs").glob("*.md")} <= set(nodes)


def test_the_browser_can_ask_for_concept_names(server):
    names = server.client.get("/hrv/concepts?file=preset%3A%20pocket.safetensors")["concepts"]
    assert names[0] == "Color"
    with pytest.raises(HRVError, match="400"):
        server.client.get("/hrv/concepts?pocket=circles")


def test_every_workflow_is_offered_as_a_template_with_an_image(server, repository: Path):
    names = {path.stem for path in (repository / "workflows").glob("*.json")}
    assert names and set(server.client.get("/workflow_templates")[PACK]) == names
    for name in names:
        graph = json.loads(server.client.fetch(f"/api/workflow_templates/{PACK}/{name}.json"))
        assert graph["nodes"], name
        try:
            assert server.client.fetch(f"/api/workflow_templates/{PACK}/{name}.jpg").startswith(b"\xff\xd8"), name
        except HRVError as error:
            raise AssertionError(f"workflows/{name}.jpg is missing: `make thumbnails`") from error


def test_every_blueprint_is_offered_and_is_what_the_schemas_of_today_make(server, repository: Path):
    offered = server.client.get("/global_subgraphs").items()
    ours = {entry["name"]: key for key, entry in offered if entry["info"]["node_pack"] == f"custom_nodes.{PACK}"}
    assert set(ours) == set(BLUEPRINTS) == {path.stem for path in FOLDER.iterdir()}
    object_info = server.client.object_info()
    for name, key in ours.items():
        assert json.loads(server.client.get(f"/global_subgraphs/{key}")["data"]) == blueprint_of(name, object_info)


def test_translations_speak_of_inputs_that_exist(server, nodes):
    translations = server.client.get("/i18n")
    assert "en" in translations
    for language, translation in translations.items():
        definitions = translation.get("nodeDefs", {})
        ours = {name: entry for name, entry in definitions.items() if name.startswith("HRV")}
        assert set(ours) == set(nodes), language
        for name, entry in ours.items():
            unknown = set(entry.get("inputs", {})) - set(inputs_of(nodes[name]))
            assert unknown == set(), f"{language}/{name}"
