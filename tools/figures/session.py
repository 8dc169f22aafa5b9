"""A pocket model and its vectors, loaded once a process."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import comfy.utils
from torch import Tensor

import nodes as core

from ...hrv_engine.pocket.model import MODELS
from ...hrv_engine.pocket.scorer import PocketScorer
from ...hrv_engine.relevance import files
from ...hrv_engine.relevance.concepts import ConceptSet
from ...hrv_engine.relevance.relevance import HeadRelevance
from ...nodes.host.folders import preset_path
from ...nodes.host.pocket import empty_latent, load_pocket
from .subjects import SQUARES, Subject

CFG, SAMPLER, SCHEDULER = 3.0, "ddim", "ddim_uniform"
comfy.utils.PROGRESS_BAR_ENABLED = False


@cache
def pocket(subject: Subject = SQUARES) -> tuple[Any, Any, Any]:
    """MODEL, CLIP and VAE."""
    return load_pocket(Path(subject.weights) if subject.weights else MODELS[subject.model])[:3]


@cache
def vectors(subject: Subject = SQUARES, kind: str = "votes") -> HeadRelevance:
    """The vectors that ship with the model, by "votes" or by "effect", or those that the subject names."""
    return files.load(subject.vectors(kind))


@cache
def scorer() -> PocketScorer:
    """Reads attributes back from images."""
    return PocketScorer()


@cache
def concepts(subject: Subject = SQUARES) -> ConceptSet:
    """The model's concepts."""
    return ConceptSet.load(preset_path("concepts", subject.presets))


def empty(subject: Subject, images: int = 1) -> dict[str, Any]:
    """A LATENT of so many empty images of the model's size."""
    latent = empty_latent(subject.side)
    return {**latent, "samples": latent["samples"].repeat(images, 1, 1, 1)}


def draw(model: Any, positive: list, negative: list, seed: int, images: int, subject: Subject = SQUARES) -> Tensor:
    """Latents of a batch, by the stock KSampler."""
    return sample(model, positive, negative, empty(subject, images), seed, subject)


def sample(
    model: Any, positive: list, negative: list, latent: dict, seed: int, subject: Subject = SQUARES, denoise: float = 1
) -> Tensor:
    """Latents that the stock KSampler makes of LATENT; below denoise 1 it takes so many of the last steps."""
    settings = (seed, round(subject.steps * denoise), CFG, SAMPLER, SCHEDULER)
    return core.common_ksampler(model, *settings, positive, negative, latent, denoise=denoise)[0]["samples"]
