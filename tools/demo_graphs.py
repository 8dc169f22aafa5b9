"""The demo's graphs in the server's format: build vectors on the pocket model, draw a prompt with and without them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from hrv_engine.relevance.build_settings import BuildSettings, EffectSettings
from hrv_engine.remote.prompt import Prompt

SIZE = {"width": 32, "height": 32}
SAMPLING = {"steps": 20, "cfg": 3.0, "sampler_name": "ddim", "scheduler": "ddim_uniform"}
BUILD = {key: value for key, value in asdict(BuildSettings(seed=1, batch_size=16, draws=4)).items()
         if key not in (*SIZE, *SAMPLING)}  # fmt: skip
EFFECT = {key: value for key, value in asdict(EffectSettings(seed=1, batch_size=8)).items()
          if key not in (*SIZE, *SAMPLING)} | {"samples_per_word": 1}  # fmt: skip
PRESETS = {"concepts": "pocket", "prompts": "pocket", "templates": "pocket"}
STEERING = {"strength": 1.0, "occurrence": 0, "clamp": 4.0, "start_percent": 0.0, "end_percent": 1.0}
ADJUST = {"desired_weight": 2.0, "undesired_weight": 1.0}
CONDITIONS = ("plain", "strengthened", "adjusted", "by_effect", "random_heads")
BY_EFFECT = ("by_effect", "random_heads")  # conditions that use vectors by effect, whose clamp is the nodes' own


def _node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


def build_graph(save_as: str, concepts: str) -> Prompt:
    """Build vectors and save them as `save_as`; "map" previews the heat maps of `concepts`, "report" is text."""
    return {
        "pocket": _node("HRVPocketModel", model="squares"),
        "concepts": _node("HRVConcepts", preset=PRESETS["concepts"], custom_yaml="", keep=""),
        "prompts": _node("HRVPromptSet", preset=PRESETS["prompts"], custom="", limit=0),
        "build": _node(
            "HRVBuild",
            **{"model": ["pocket", 0], "clip": ["pocket", 1], "concepts": ["concepts", 0], "prompts": ["prompts", 0]},
            **{**SIZE, **SAMPLING, **BUILD, "save_as": save_as, "resume": False},
        ),
        "heatmap": _node("HRVHeatmap", hrv=["build", 0], concept=concepts),
        "map": _node("PreviewImage", images=["heatmap", 0]),
        "report": _node("PreviewAny", source=["build", 1]),
    }


def effect_graph(save_as: str, concepts: str) -> Prompt:
    """Build vectors of `concepts` by effect and save them as `save_as`; "report" is text."""
    return {
        "pocket": _node("HRVPocketModel", model="squares"),
        "concepts": _node("HRVConcepts", preset=PRESETS["concepts"], custom_yaml="", keep=concepts),
        "build": _node(
            "HRVBuildByEffect",
            **{"model": ["pocket", 0], "clip": ["pocket", 1], "concepts": ["concepts", 0]},
            **{"templates": PRESETS["templates"], "custom_templates": "", "save_as": save_as, "resume": False},
            **{**SIZE, **SAMPLING, **EFFECT},
        ),
        "report": _node("PreviewAny", source=["build", 1]),
    }


def draw_graph(asked: Mapping[str, str], condition: str, seeds: Sequence[int], vectors: Sequence[str]) -> Prompt:
    """One image per seed of a benchmark prompt; "image <seed>" previews it.

    condition: one of CONDITIONS; vectors: the HRV file of each seed (not used by "plain").
    """
    graph = {
        "pocket": _node("HRVPocketModel", model="squares"),
        "positive": _node("HRVPrompt", clip=["pocket", 1], text=asked["text"]),
        "negative": _node("CLIPTextEncode", clip=["pocket", 1], text=""),
        "latent": _node("EmptyLatentImage", **SIZE, batch_size=1),
    }
    for seed, file in zip(seeds, vectors, strict=True):
        model, positive = ["pocket", 0], ["positive", 0]
        if condition != "plain":
            steered = f"steered {file}"
            graph[f"hrv {file}"] = _node("HRVLoad", file=file)
            how = STEERING | ({"clamp": 0.0} if condition in BY_EFFECT else {})
            what = {"model": model, "positive": positive, "hrv": [f"hrv {file}", 0], "word": asked["word"], **how}
            if condition == "strengthened":
                graph[steered] = _node("HRVConceptStrengthen", **what, concept=asked["desired"])
            else:
                names = {"desired": asked["desired"], "undesired": asked["undesired"]}
                graph[steered] = _node("HRVConceptAdjust", **what, **names, **ADJUST)
            model, positive = [steered, 0], [steered, 1]
        ends = {"model": model, "positive": positive, "negative": ["negative", 0], "latent_image": ["latent", 0]}
        graph[f"noise {seed}"] = _node("KSampler", **ends, **SAMPLING, seed=seed, denoise=1.0)
        graph[f"pixels {seed}"] = _node("VAEDecode", samples=[f"noise {seed}", 0], vae=["pocket", 2])
        graph[f"image {seed}"] = _node("PreviewImage", images=[f"pixels {seed}", 0])
    return graph
