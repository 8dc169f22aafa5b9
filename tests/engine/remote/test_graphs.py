"""Workflow files as templates: what is none is named before it is converted; which node can stand in for another."""

from __future__ import annotations

import json

import pytest

from hrv_engine.errors import HRVError
from hrv_engine.remote.graphs import Template, free_id


@pytest.mark.parametrize("name", ["nothing", "a" * 5000, "../README", "a\x00b"])
def test_a_workflow_that_is_not_there_is_named_whatever_its_name(name):
    with pytest.raises(HRVError, match="There is no workflow"):
        Template.read(name, {})


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[]", b"\xff", b'{"nodes": 5}', b'{"nodes": [5]}', b'{"nodes": [{"id": 1}]}', b"[" * 100_000],
)
def test_a_file_that_is_no_workflow_is_refused_in_one_sentence(tmp_path, content):
    (tmp_path / "mine.json").write_bytes(content)
    with pytest.raises(HRVError, match="mine.json is no workflow as the frontend saves it"):
        Template.read("mine", {}, tmp_path)


SCHEMAS = {
    "Loader": {"input": {"required": {"file": ["STRING"]}}, "output": ["MODEL", "CLIP", "VAE"]},
    "WithLatent": {"input": {}, "output": ["MODEL", "CLIP", "VAE", "LATENT"]},
    "WithoutVae": {"input": {"optional": {"file": ["STRING"]}}, "output": ["MODEL", "CLIP"]},
    "ClipFirst": {"input": {}, "output": ["CLIP", "MODEL", "VAE"]},
}
LOADS = Template("mine", {"1": {"class_type": "Loader", "inputs": {"file": "a"}}}, {"1": "Loader"}, SCHEMAS)


@pytest.mark.parametrize(("new", "inputs"), [("WithLatent", {}), ("WithoutVae", {"file": "a"})])
def test_a_node_with_more_or_fewer_outputs_after_the_same_ones_stands_in_for_another(new, inputs):
    assert LOADS.replacing({"Loader": new}).prompt == {"1": {"class_type": new, "inputs": inputs}}


def test_a_node_with_other_outputs_does_not_stand_in():
    with pytest.raises(HRVError, match="ClipFirst cannot stand in for Loader: its outputs are .'CLIP', 'MODEL', 'VAE'"):
        LOADS.replacing({"Loader": "ClipFirst"})


PART = "0c5ff6a6-3f6d-4f1c-9d68-6ad53a1a3e55"
INNER = {"id": 2, "type": "Loader", "title": "Inner", "inputs": [], "outputs": [], "widgets_values": ["a"]}
INSIDE = {"id": PART, "inputs": [], "outputs": [], "nodes": [INNER], "links": []}


def test_nodes_of_a_subgraph_have_titles_and_classes_like_others(tmp_path):
    graph = {"nodes": [{"id": 5, "type": PART}], "links": [], "definitions": {"subgraphs": [INSIDE]}}
    (tmp_path / "mine.json").write_text(json.dumps(graph), encoding="utf-8")
    with pytest.raises(HRVError, match="does not know the node Loader of mine"):
        Template.read("mine", {}, tmp_path)
    loader = {**SCHEMAS["Loader"], "input_order": {"required": ["file"]}, "output_name": ["MODEL", "CLIP", "VAE"]}
    read = Template.read("mine", {"Loader": loader}, tmp_path)
    assert read.titles == {"5:2": "Inner"} and read.setting({"Inner.file": "b"}).prompt["5:2"]["inputs"]["file"] == "b"
    assert free_id(read.prompt) == "6"


@pytest.mark.parametrize("parts", [5, [5], [{"id": PART}], [{"id": PART, "nodes": [{"id": 1, "type": PART}]}]])
def test_a_subgraph_that_is_none_or_holds_itself_is_refused_in_one_sentence(tmp_path, parts):
    graph = {"nodes": [{"id": 5, "type": PART}], "links": [], "definitions": {"subgraphs": parts}}
    (tmp_path / "mine.json").write_text(json.dumps(graph), encoding="utf-8")
    with pytest.raises(HRVError, match="mine.json is no workflow as the frontend saves it"):
        Template.read("mine", {}, tmp_path)
