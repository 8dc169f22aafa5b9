"""Tiny MODELs of families with the tiny CLIP that belongs to each."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

from ..host.tiny_encoders import ENCODERS
from .test_with_the_nodes import SIZES
from .tiny_models import TINY

PAIRS = {  # model and encoder, what makes the model's text as wide as the encoder's
    **{name: (name, name, {option: width} | more) for name, (option, width, more) in SIZES.items()},
    "Cosmos-Predict2": ("Cosmos-Predict2", "Cosmos", {"crossattn_emb_channels": 32}),
    "LTX": ("LTX", "Mochi and LTX", {"caption_channels": 32}),
}  # fmt: skip


@lru_cache
def pair(name: str) -> tuple[Any, Any]:
    """A tiny MODEL of a family and the CLIP that belongs to it."""
    model, encoder, sizes = PAIRS[name]
    tiny = replace(TINY[model], config=TINY[model].config | sizes, extra={}, channels=32)
    return tiny.model(), ENCODERS[encoder].clip()
