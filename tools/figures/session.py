"""The pocket model and its vectors, loaded once a process."""

from __future__ import annotations

from functools import cache
from typing import Any

import comfy.utils
import torch
from torch import Tensor

import nodes as core

from ...hrv_engine.paths import PRESETS
from ...hrv_engine.pocket.model import MODELS
from ...hrv_engine.pocket.scorer import PocketScorer
from ...hrv_engine.relevance import files
from ...hrv_engine.relevance.concepts import ConceptSet
from ...hrv_engine.relevance.relevance import HeadRelevance
from ...nodes.host.folders import preset_path
from ...nodes.host.pocket import load_pocket

STEPS, CFG, SAMPLER, SCHEDULER = 20, 3.0, "ddim", "ddim_uniform"
comfy.utils.PROGRESS_BAR_ENABLED = False


@cache
def pocket() -> tuple[Any, Any, Any]:
    """MODEL, CLIP and VAE of the pocket model."""
    return load_pocket(MODELS["squares"])[:3]


@cache
def vectors() -> HeadRelevance:
    """The vectors that ship with the pocket model."""
    return files.load(PRESETS / "hrv" / "pocket.safetensors")


@cache
def scorer() -> PocketScorer:
    """Reads attributes back from images."""
    return PocketScorer()


@cache
def concepts() -> ConceptSet:
    """The pocket model's concepts."""
    return ConceptSet.load(preset_path("concepts", "pocket"))


def draw(model: Any, positive: list, negative: list, seed: int, images: int) -> Tensor:
    """Latents of a batch, by the stock KSampler."""
    latent = {"samples": torch.zeros(images, 4, 4, 4), "downscale_ratio_spacial": 8}
    settings = (seed, STEPS, CFG, SAMPLER, SCHEDULER)
    return core.common_ksampler(model, *settings, positive, negative, latent)[0]["samples"]
