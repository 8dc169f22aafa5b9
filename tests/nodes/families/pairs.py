"""Tiny MODELs of families with the tiny CLIP that belongs to each."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache, partial
from typing import Any
from unittest.mock import patch

import comfy.ldm.anima.model as anima
import torch

from ..host.tiny_encoders import ENCODERS
from . import tiny_configs as configs
from .test_with_the_nodes import SIZES
from .tiny_models import TINY, Tiny

PAIRS = {  # model and encoder, what makes the model's text as wide as the encoder's
    **{name: (name, name, {option: width} | more) for name, (option, width, more) in SIZES.items()},
    "Cosmos-Predict2": ("Cosmos-Predict2", "Cosmos", {"crossattn_emb_channels": 32}),
    "LTX": ("LTX", "Mochi and LTX", {"caption_channels": 32}),
    "Anima": ("Anima", "Anima", {}),
    "Mochi": ("Mochi", "Mochi and LTX", {"t5_feat_dim": 32, "t5_token_length": 256}),
}  # fmt: skip


TOKENS = torch.arange(5, 12)  # of T5, as many as the prompts of the tests have
SMALL = partial(anima.LLMAdapter, source_dim=32, target_dim=32, model_dim=32, num_layers=1, num_heads=2)


class Adapted(Tiny):
    """With a small adapter: the host has one size of it."""

    def model(self, seed: int = 3) -> Any:
        with patch.object(anima, "LLMAdapter", SMALL):
            return super().model(seed)


ANIMA = Adapted(
    "Anima", configs.COSMOS | {"image_model": "anima", "crossattn_emb_channels": 32}, 32, (16, 1, 8, 8), 2, 16,
    joint=False, padded=lambda tokens: (0, 512), extra={"t5xxl_ids": TOKENS, "t5xxl_weights": torch.ones(len(TOKENS))},
    prepared=lambda module, context: module.preprocess_text_embeds(context, TOKENS[None]),
)  # fmt: skip


@lru_cache
def pair(name: str) -> tuple[Any, Any]:
    """A tiny MODEL of a family and the CLIP that belongs to it."""
    if name == "Anima":
        return ANIMA.model(), ENCODERS[name].clip()
    model, encoder, sizes = PAIRS[name]
    tiny = replace(TINY[model], config=TINY[model].config | sizes, extra={}, channels=32)
    return tiny.model(), ENCODERS[encoder].clip()
