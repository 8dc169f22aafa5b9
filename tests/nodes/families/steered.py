"""A word's strength on a tiny model: what the tests of families ask for and compare with."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from comfyui_hrv.hrv_engine.relevance.rescale import HeadScale
from comfyui_hrv.hrv_engine.text.alignment import TokenTable
from comfyui_hrv.nodes.host.conditioning import KEY, PromptAnnotation
from comfyui_hrv.nodes.host.steering import steered
from comfyui_hrv.nodes.host.unet import layout_of

from .explicit import Explicit
from .tiny_models import Tiny

COLUMNS = (1, 2)


def factors_of(model: Any, value: float | None = None) -> torch.Tensor:
    """Factors [sites, heads], some 1 and some negative, or all of one value."""
    sites = layout_of(model).sites
    assert len({site.heads for site in sites}) == 1
    shape = (len(sites), sites[0].heads)
    if value is not None:
        return torch.full(shape, value)
    random = torch.randn(shape, generator=torch.Generator().manual_seed(7)) * 2 + 1
    random[:, 0] = 1
    return random


def annotation(factors: torch.Tensor) -> PromptAnnotation:
    scale = HeadScale(COLUMNS, factors.flatten().numpy().astype(np.float32))
    return PromptAnnotation(TokenTable("", ()), (scale,))


def draw(tiny: Tiny, model: Any, factors: torch.Tensor, tokens: int = 7, other: int = 7, batch: int = 1, **more: Any):
    """The steered latents and those of attention written out."""
    positive, negative = tiny.prompt(tokens, 1), tiny.prompt(other, 2)
    unconditional = tiny.conditioning(negative)
    asked = tiny.conditioning(positive, **{KEY: annotation(factors)}, **more)
    ours = steered(model)
    explicit = Explicit(tiny, positive, COLUMNS, factors)
    there = tiny.sample(explicit.on(model), tiny.conditioning(positive, **more), unconditional, batch)
    here = tiny.sample(ours, asked, unconditional, batch)
    assert explicit.site == tiny.sites
    return here, there, ours
