"""Prompts of the squares, the smaller pocket model, in the server's format: build vectors, draw plainly or steered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from hrv_engine.relevance.build_settings import BuildSettings
from hrv_engine.remote.prompt import Prompt

SIZE = {"width": 32, "height": 32}
SAMPLING = {"steps": 20, "cfg": 3.0, "sampler_name": "ddim", "scheduler": "ddim_uniform"}
STEERING = {"strength": 1.0, "occurrence": 0, "clamp": 4.0, "start_percent": 0.0, "end_percent": 1.0}
ADJUST = {"desired_weight": 2.0, "undesired_weight": 1.0}


def _node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


def build_graph(save_as: str, concepts: str) -> Prompt:
    """Build vectors and save them as `save_as`; "map" previews the heat maps of `concepts`, "report" is text."""
    settings = asdict(BuildSettings(**SIZE, **SAMPLING, seed=1, batch_size=16, draws=4))
    return {
        "pocket": _node("HRVPocketModel", model="squares"),
        "concepts": _node("HRVConcepts", preset="pocket", custom_yaml="", keep=""),
        "prompts": _node("HRVPromptSet", preset="pocket", custom="", limit=0),
        "build": _node(
            "HRVBuild",
            **{"model": ["pocket", 0], "clip": ["pocket", 1], "concepts": ["concepts", 0], "prompts": ["prompts", 0]},
            **{**settings, "save_as": save_as, "resume": False},
        ),
        "heatmap": _node("HRVHeatmap", hrv=["build", 0], concept=concepts),
        "map": _node("PreviewImage", images=["heatmap", 0]),
        "report": _node("PreviewAny", source=["build", 1]),
    }


def draw_graph(asked: Mapping[str, str], seed: int, file: str = "") -> Prompt:
    """One image of a polysemous prompt, which "image" previews; file: vectors to adjust its word with."""
    model, positive = ["pocket", 0], ["positive", 0]
    graph = {
        "pocket": _node("HRVPocketModel", model="squares"),
        "positive": _node("HRVPrompt", clip=["pocket", 1], text=asked["text"]),
        "negative": _node("CLIPTextEncode", clip=["pocket", 1], text=""),
    }
    if file:
        names = {name: asked[name] for name in ("word", "desired", "undesired")}
        ends = {"model": model, "positive": positive, "hrv": ["hrv", 0]}
        graph["hrv"] = _node("HRVLoad", file=file)
        graph["steered"] = _node("HRVConceptAdjust", **ends, **names, **STEERING, **ADJUST)
        model, positive = ["steered", 0], ["steered", 1]
    ends = {"model": model, "positive": positive, "negative": ["negative", 0], "latent_image": ["pocket", 3]}
    graph["noise"] = _node("KSampler", **ends, **SAMPLING, seed=seed, denoise=1.0)
    graph["pixels"] = _node("VAEDecode", samples=["noise", 0], vae=["pocket", 2])
    graph["image"] = _node("PreviewImage", images=["pixels", 0])
    return graph
