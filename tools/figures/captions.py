"""Captions of the pocket model's world for building vectors."""

from __future__ import annotations

import random

from hrv_engine.pocket.captions import draw_caption
from hrv_engine.pocket.scenes import POLYSEMOUS


def captions(count: int, seed: int) -> list[str]:
    """Captions of the model's grammar without its polysemous words."""
    source, texts = random.Random(seed), list[str]()
    odd = {*POLYSEMOUS, *(f"{word}s" for word in POLYSEMOUS)}
    while len(texts) < count:
        text = draw_caption(source).text
        if not odd & set(text.split()):
            texts.append(text)
    return texts
