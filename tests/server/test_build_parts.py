"""A build shared among machines, as its user does it: parts by HRV Build, put together by HRV Merge."""

from __future__ import annotations

import pytest

from comfyui_hrv.tests.workflows import with_values
from hrv_engine.remote.prompt import PromptFailed

from .squares_graphs import build_graph

SMALL = {"limit": 22, "batch_size": 4, "steps": 4, "per_timestep": True, "logit_scale": True}


def part(save_as: str, start: int, count: int) -> dict:
    graph = with_values(build_graph(save_as, "Color"), **SMALL)
    graph["build"]["inputs"] |= {"start": start, "count": count}
    return graph


def merge(one: str, other: str, save_as: str) -> dict:
    return {
        "a": {"class_type": "HRVLoad", "inputs": {"file": f"{one}.safetensors"}},
        "b": {"class_type": "HRVLoad", "inputs": {"file": f"{other}.safetensors"}},
        "merge": {"class_type": "HRVMerge", "inputs": {"hrv_a": ["a", 0], "hrv_b": ["b", 0]}},
        "save": {"class_type": "HRVSave", "inputs": {"hrv": ["merge", 0], "filename": save_as}},
    }


def test_two_parts_merged_are_the_very_file_of_one_build(server):
    server.client.run(part("parts/a", 0, 10))
    outputs = server.client.run(part("parts/b", 10, 0))
    assert "12 images" in outputs["report"]["text"][0] and "10 to 21" in outputs["report"]["text"][0]
    server.client.run(merge("parts/b", "parts/a", "parts/both"))
    server.client.run(with_values(build_graph("parts/one", "Color"), **SMALL))
    both, one = ((server.models / "hrv" / "parts" / f"{name}.safetensors").read_bytes() for name in ("both", "one"))
    assert both == one


def test_overlapping_parts_and_parts_beyond_the_prompts_reach_the_user_as_refusals(server):
    server.client.run(part("parts/c", 0, 4))
    server.client.run(part("parts/d", 2, 4))
    with pytest.raises(PromptFailed, match="same images.*2 to 5.*another part") as failure:
        server.client.run(merge("parts/c", "parts/d", "parts/twice"))
    assert failure.value.node_type == "HRVMerge"
    with pytest.raises(PromptFailed, match="from image 22.*0 to 21"):
        server.client.run(part("parts/e", 22, 0))
