"""Contexts that are masked, repeated, prepared by the model, or a neighbour's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from comfyui_hrv.nodes.host.conditioning import KEY
from comfyui_hrv.nodes.host.steering import steered

from ..explicit import relative
from .explicit import Explicit
from .steered import annotation, draw, factors_of
from .tiny_models import TINY

pytestmark = pytest.mark.usefixtures("inference_mode")


def half(context: torch.Tensor) -> torch.Tensor:
    """A mask of which the last tokens of a prompt are none."""
    mask = torch.ones(context.shape[:2], dtype=torch.long)
    mask[:, 4:] = 0
    return mask


@pytest.mark.parametrize("name", ["Qwen-Image", "HunyuanVideo", "Lens", "LTX"])
def test_masked_tokens_of_a_prompt_stay_masked(name):
    tiny = TINY[name]
    masked = replace(tiny, extra={**tiny.extra, "attention_mask": half})
    model = tiny.model()
    here, there, _ = draw(masked, model, factors_of(model), other=10)  # apart: HunyuanVideo fails on two masked rows
    assert relative(here, there) <= 1e-5
    assert relative(here, draw(tiny, model, factors_of(model), other=10)[0]) > 1e-5


def test_a_mask_that_differs_from_query_to_query_is_cut_with_the_queries():
    """Core's regions of style models: a mask over prompt and image on both sides."""
    tiny = TINY["Flux.1"]
    mask = torch.rand(1, 7 + 16, 7 + 16, generator=torch.Generator().manual_seed(4)) > 0.3
    mask |= torch.eye(7 + 16, dtype=torch.bool)
    bias = torch.zeros(mask.shape).masked_fill(~mask, -1e4)
    masked = replace(tiny, extra={**tiny.extra, "attention_mask": bias, "attention_mask_img_shape": (4, 4)})
    model = tiny.model()
    here, there, _ = draw(masked, model, factors_of(model))
    assert relative(here, there) <= 1e-5
    assert relative(here, draw(tiny, model, factors_of(model))[0]) > 1e-4


@pytest.mark.parametrize("name", ["CogVideoX", "PixelDiT"])
def test_a_context_repeated_beside_a_longer_one_is_scaled_in_every_copy(name):
    """Seven tokens beside fourteen run in one call, twice in a row."""
    tiny = replace(TINY[name], config=TINY[name].config | {"max_text_seq_length": 14, "txt_max_length": 14})
    tiny = replace(tiny, config={key: tiny.config[key] for key in tiny.config if key in known(name)})
    model = tiny.model()
    factors = factors_of(model)
    positive, negative = tiny.prompt(7, 1), tiny.conditioning(tiny.prompt(14, 2))
    twice = Explicit(replace(tiny, padded=lambda tokens: (0, 14)), positive, (1, 2, 8, 9), factors)
    there = tiny.sample(twice.on(model), tiny.conditioning(positive), negative)
    here = tiny.sample(steered(model), tiny.conditioning(positive, **{KEY: annotation(factors)}), negative)
    assert relative(here, there) <= 1e-5
    assert relative(here, tiny.sample(model, tiny.conditioning(positive), negative)) > 1e-4


def known(name: str) -> set[str]:
    """The options of a tiny model, the length of its text among them."""
    return {*TINY[name].config, "max_text_seq_length" if name == "CogVideoX" else "txt_max_length"}


@pytest.mark.parametrize("name", ["Flux.1", "Flux.2", "Wan"])
def test_the_negative_that_the_host_makes_beside_an_area_is_not_steered(name):
    """The host copies an area with its annotation into the other list, with the context of a neighbour there."""
    tiny = TINY[name]
    model = tiny.model()
    predicted: dict[str, list[torch.Tensor]] = {"plain": [], "ours": []}

    def noting(model: Any, kind: str) -> Any:
        clone = model.clone()
        clone.set_model_sampler_pre_cfg_function(
            lambda given: predicted[kind].append(given["conds_out"][1].clone()) or given["conds_out"]
        )
        return clone

    whole, part = tiny.prompt(7, 1), tiny.prompt(7, 3)
    sizes = tiny.latent[1:]
    area = {"area": tuple(size // 2 for size in sizes) + (0,) * len(sizes)}
    negative = tiny.conditioning(tiny.prompt(7, 2))
    plain = tiny.conditioning(whole) + tiny.conditioning(part, **area)
    asked = tiny.conditioning(whole) + tiny.conditioning(part, **area, **{KEY: annotation(factors_of(model))})
    one = tiny.sample(noting(model, "plain"), plain, negative, steps=1)
    other = tiny.sample(noting(steered(model), "ours"), asked, negative, steps=1)
    assert torch.equal(predicted["ours"][0], predicted["plain"][0])
    assert relative(other, one) > 1e-5
