"""What a pocket model shows of a word when nothing is weakened."""

from __future__ import annotations

from dataclasses import astuple

import torch

import nodes as core

from ....nodes.host.words import encode
from ..effect.session import latent, pocket, sampling, shown


def task(world: str, text: str, word: str, seed: int, images: int) -> list[float]:
    """Probabilities of a word in images of a prompt."""
    model, clip, vae = pocket(world)
    start = latent(world)
    start["samples"] = start["samples"].repeat(images, 1, 1, 1)
    with torch.no_grad():
        ends = encode(clip, text), encode(clip, "")
        drawn = core.common_ksampler(model, *astuple(sampling(world, seed)), *ends, start)[0]["samples"]
        return shown(vae.decode(drawn), word).tolist()
