"""A forgotten wire is named when the node runs; what reaches the sampler another way is let through."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest
from comfy_execution.utils import CurrentNodeContext

from comfyui_hrv.hrv_engine.errors import HRVError
from comfyui_hrv.nodes.host.wires import check_wires

TWO, THREE = {0: "MODEL", 1: "positive"}, {0: "MODEL", 1: "positive", 2: "LATENT"}


def checked(monkeypatch, prompt: dict[str, Any], node: str = "2", together: dict[int, str] = TWO) -> None:
    """`check_wires` as node "2" of a prompt that a server runs."""
    running = {0: (0, "prompt", prompt, {}, [])}
    server = SimpleNamespace(prompt_queue=SimpleNamespace(currently_running=running))
    module = SimpleNamespace(PromptServer=SimpleNamespace(instance=server))
    monkeypatch.setitem(sys.modules, "server", module)
    with CurrentNodeContext("prompt", node):
        check_wires("HRV Concept Adjust", together)


def prompt(model: list, positive: list, **more: Any) -> dict[str, Any]:
    """A loader "1", a steering node "2", a sampler "3" fed from the given places, and more nodes."""
    return {
        "1": {"class_type": "CheckpointLoaderSimple", "inputs": {}},
        "2": {"class_type": "HRVConceptAdjust", "inputs": {"model": ["1", 0], "positive": ["9", 0]}},
        "3": {"class_type": "KSampler", "inputs": {"model": model, "positive": positive, "seed": 3}},
        **more,
    }


def test_both_wires_none_and_wires_of_other_nodes_are_let_through(monkeypatch):
    checked(monkeypatch, prompt(["2", 0], ["2", 1]))
    checked(monkeypatch, prompt(["1", 0], ["9", 0]))
    checked(monkeypatch, prompt(["2", 0], ["2", 1]), node="somewhere else")


@pytest.mark.parametrize(
    "model, positive, missing", [(["2", 0], ["9", 0], "positive is not"), (["1", 0], ["2", 1], "MODEL is not")]
)
def test_one_of_two_wires_is_refused_with_the_other_s_name(monkeypatch, model, positive, missing):
    with pytest.raises(HRVError, match=f"HRV Concept Adjust.*{missing}"):
        checked(monkeypatch, prompt(model, positive))


def test_the_latent_of_an_edit_is_missed_too(monkeypatch):
    with pytest.raises(HRVError, match="MODEL, positive is connected, but LATENT is not"):
        checked(monkeypatch, prompt(["2", 0], ["2", 1]), together=THREE)


def test_the_model_may_come_from_another_hrv_node_behind_or_before_loras(monkeypatch):
    second = {"class_type": "HRVConceptAdjust", "inputs": {"model": ["1", 0], "positive": ["2", 1]}}
    lora = {"class_type": "LoraLoaderModelOnly", "inputs": {"model": ["4", 0]}}
    checked(monkeypatch, prompt(["5", 0], ["4", 1], **{"4": second, "5": lora}))
    with pytest.raises(HRVError, match="MODEL is not"):
        other = {"class_type": "LoraLoaderModelOnly", "inputs": {"model": ["1", 0]}}
        checked(monkeypatch, prompt(["5", 0], ["2", 1], **{"5": other}))


def test_a_conditioning_that_passes_other_nodes_is_followed_to_its_sampler(monkeypatch):
    combined = {"class_type": "ConditioningCombine", "inputs": {"conditioning_1": ["2", 1], "conditioning_2": ["9", 0]}}
    with pytest.raises(HRVError, match="MODEL is not"):
        checked(monkeypatch, prompt(["1", 0], ["4", 0], **{"4": combined}))


def test_a_report_looks_without_sampling(monkeypatch):
    report = {"class_type": "HRVReport", "inputs": {"positive": ["2", 1]}}
    checked(monkeypatch, prompt(["1", 0], ["9", 0], **{"4": report}))
