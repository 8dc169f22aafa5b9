"""Steering on a transformer with its own text encoder, through the node: the columns are where the encoder says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from comfyui_hrv.hrv_engine.relevance.rescale import adjust
from comfyui_hrv.nodes.host.conditioning import table_of
from comfyui_hrv.nodes.host.unet import layout_of
from comfyui_hrv.nodes.prompt import HRVPrompt
from comfyui_hrv.nodes.steering.adjust import HRVConceptAdjust

from ..explicit import relative
from ..host.tiny_encoders import ENCODERS
from ..vectors import random_vectors
from .explicit import Explicit
from .tiny_models import TINY

pytestmark = pytest.mark.usefixtures("inference_mode")
SIZES: dict[str, tuple[str, int, dict[str, Any]]] = {
    "Flux.1": ("context_in_dim", 32, {"vec_in_dim": 64}),
    "Z-Image": ("cap_feat_dim", 32, {}),
    "Qwen-Image": ("joint_attention_dim", 32, {}),
    "Wan": ("text_dim", 32, {}),
    "HiDream": ("text_emb_dim", 128, {"caption_channels": [32, 32]}),
}


def pair(name: str) -> tuple:
    """A tiny model, what a test must know of it, and the CLIP that belongs to it."""
    option, width, more = SIZES[name]
    tiny = replace(TINY[name], config=TINY[name].config | {option: width} | more, extra={}, channels=32)
    if name == "HiDream":
        tiny = replace(tiny, inside=lambda tokens: tokens + 2 * 128)
    return tiny, tiny.model(), ENCODERS[name].clip()


def bare(conditioning: list) -> list:
    """Without what the nodes wrote on it."""
    return [[context, {key: value for key, value in given.items() if key != "hrv"}] for context, given in conditioning]


@pytest.mark.parametrize("name", list(SIZES))
def test_a_word_is_adjusted_where_its_encoder_put_it(name):
    tiny, model, clip = pair(name)
    positive, negative = (HRVPrompt.execute(clip, text).args[0] for text in ("red car", "blue"))
    hrv = random_vectors(model, "Color", "Plants")
    adjusted, marked = HRVConceptAdjust.execute(
        model, positive, hrv, "red", "Color", "Plants", 2.0, 1.0, 1.0, 0, 4.0, 0.0, 1.0
    ).args
    (columns,) = table_of(positive).find("red")
    if name == "HiDream":  # Llama's tokens are there twice
        columns = (*columns, columns[1] + 128)
    sites = layout_of(model).sites
    factors = torch.from_numpy(adjust(hrv, "Color", "Plants", 2.0, 1.0, 4.0)).view(len(sites), -1)
    explicit = Explicit(tiny, positive[0][0], columns, factors)
    plain = bare(positive)
    here = tiny.sample(adjusted, marked, negative)
    assert relative(here, tiny.sample(explicit.on(model), plain, negative)) <= 1e-5
    assert relative(here, tiny.sample(model, plain, negative)) > 1e-4
