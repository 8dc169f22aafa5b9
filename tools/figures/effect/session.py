"""One of the pocket models in a worker: model, text encoder and VAE, and what the scorer reads from its images."""

from __future__ import annotations

from functools import cache
from typing import Any

import comfy.utils
import numpy as np
import torch
from torch import Tensor

import nodes as core

from ....hrv_engine.pocket.drawings.reading import read_senses as read_drawings
from ....hrv_engine.pocket.model import models
from ....hrv_engine.pocket.scorer import PocketScorer
from ....hrv_engine.pocket.scoring import read_polysemous
from ....nodes.host.pocket import load_pocket
from ....nodes.host.sweep import Sampling
from .worlds import WORLDS

comfy.utils.PROGRESS_BAR_ENABLED = False


@cache
def pocket(world: str, dtype: str = "") -> tuple[Any, Any, Any]:
    """MODEL, CLIP and VAE, loaded once a process; dtype: if other than the world's."""
    there = WORLDS[world]
    return load_pocket(models()[there.model], getattr(torch, dtype or there.dtype))[:3]


@cache
def scorer() -> PocketScorer:
    """Reads words back from images of both."""
    return PocketScorer()


def sampling(world: str, seed: int) -> Sampling:
    """How the images of the figures are drawn."""
    there = WORLDS[world]
    return Sampling(seed, there.steps, there.cfg, there.sampler, there.scheduler)


def latent(world: str) -> dict[str, Any]:
    """An empty latent of one image."""
    return core.EmptyLatentImage().generate(WORLDS[world].side, WORLDS[world].side, 1)[0]


def shown(images: Tensor, word: str) -> np.ndarray:
    """Probability that images [n height width 3] show a word, float64 [n]."""
    return scorer().score(images, word)


def read_senses(world: str, images: Tensor, asked: dict[str, str]) -> dict[str, int]:
    """Counts over images [n height width 3] of a polysemous prompt: right, thing (or any second one), noun, color."""
    pixels = images[..., :3].float().movedim(-1, 1)
    if world == "squares":
        read = read_polysemous(scorer().network(pixels), asked)
        thing, noun, color, right = read.unintended, read.shape, read.color, ~read.misread
    else:
        seen = read_drawings(scorer().network_of_drawings(pixels), asked["color"], asked["noun"])
        # What the one thing is does not count: the model draws two nouns of three.
        thing, noun, color, right = seen.thing, seen.noun, seen.color, ~seen.misread
    found = {"right": right, "thing": thing, "noun": noun, "color": color}
    return {name: int(value.sum()) for name, value in found.items()}
