"""How strength and clamp change what the pocket model reads: one prompt under one setting, counted by the scorer."""

from __future__ import annotations

from typing import Any

import torch

from ...hrv_engine.pocket.scoring import read_polysemous
from ...nodes.host.words import encode
from ...nodes.prompt import HRVPrompt
from ...nodes.steering.adjust import HRVConceptAdjust
from ...nodes.steering.strengthen import HRVConceptStrengthen
from . import session


def task(asked: dict[str, str], method: str, strength: float, clamp: float, seed: int, images: int) -> dict[str, int]:
    """Images {images, misread, thing, shape, color} of a polysemous prompt.

    method: plain, strengthened, adjusted, or shuffled (adjusted with the heads permuted, by `seed`); clamp 0: none.
    """
    model, clip, vae = session.pocket()
    positive = HRVPrompt.execute(clip, asked["text"]).args[0]
    hrv = session.vectors().shuffled(seed) if method == "shuffled" else session.vectors()
    window: tuple[Any, ...] = (strength, 0, clamp, 0.0, 1.0)
    if method == "strengthened":
        model, positive = HRVConceptStrengthen.execute(
            model, positive, hrv, asked["word"], asked["desired"], *window
        ).args
    elif method != "plain":
        senses = (asked["desired"], asked["undesired"], 2.0, 1.0)
        model, positive = HRVConceptAdjust.execute(model, positive, hrv, asked["word"], *senses, *window).args
    decoded = vae.decode(session.draw(model, positive, encode(clip, ""), seed, images))
    with torch.no_grad():
        read = read_polysemous(session.scorer().network(decoded.movedim(-1, 1)), asked)
    return {
        "images": images,
        "misread": int(read.misread.sum()),
        "thing": int(read.unintended.sum()),
        "shape": int(read.shape.sum()),
        "color": int(read.color.sum()),
    }
