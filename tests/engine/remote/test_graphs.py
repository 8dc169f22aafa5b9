"""Workflow files as templates: what is none is named before it is converted; which node can stand in for another."""

from __future__ import annotations

import pytest

from hrv_engine.errors import HRVError
from hrv_engine.remote.graphs import Template


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
