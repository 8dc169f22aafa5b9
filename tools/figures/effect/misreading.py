"""How often a polysemous word is read right, steered with vectors of either kind."""

from __future__ import annotations

from dataclasses import astuple
from typing import Any

import torch

import nodes as core

from ....nodes.host.words import encode
from ....nodes.prompt import HRVPrompt
from ....nodes.steering.adjust import HRVConceptAdjust
from ....nodes.steering.strengthen import HRVConceptStrengthen
from .session import latent, pocket, read_senses, sampling
from .worlds import vectors

PLAIN, STRENGTHENED, ADJUSTED = "plain", "strengthened", "adjusted"


def task(
    world: str, asked: dict[str, str], method: str, kind: str, clamp: float, shuffle: int, seed: int, images: int
) -> dict[str, Any]:
    """Counts {images, right, thing, noun, color} of one prompt.

    kind: of the vectors; clamp 0: what the node does by itself; shuffle: permutes their heads by this seed, 0: none.
    """
    model, clip, vae = pocket(world)
    positive = HRVPrompt.execute(clip, asked["text"]).args[0]
    window: tuple[Any, ...] = (1.0, 0, clamp, 0.0, 1.0)
    if method != PLAIN:
        hrv = vectors(world, kind)
        hrv = hrv.shuffled(shuffle) if shuffle else hrv
        if method == STRENGTHENED:
            given = (model, positive, hrv, asked["word"], asked["desired"], *window)
            model, positive = HRVConceptStrengthen.execute(*given).args
        else:
            senses = (asked["desired"], asked["undesired"], 2.0, 1.0)
            model, positive = HRVConceptAdjust.execute(model, positive, hrv, asked["word"], *senses, *window).args
    start = latent(world)
    start["samples"] = start["samples"].repeat(images, 1, 1, 1)
    with torch.no_grad():
        drawn = core.common_ksampler(model, *astuple(sampling(world, seed)), positive, encode(clip, ""), start)[0][
            "samples"
        ]
        return {"images": images, **read_senses(world, vae.decode(drawn), asked)}
