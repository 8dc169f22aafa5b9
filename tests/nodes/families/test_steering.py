"""A word's strength on every family: equal to attention written out, and nothing else is touched."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from comfyui_hrv.hrv_engine.relevance.rescale import HeadScale
from comfyui_hrv.hrv_engine.text.alignment import TokenTable
from comfyui_hrv.nodes.host.conditioning import KEY, PromptAnnotation
from comfyui_hrv.nodes.host.control import receipts_of
from comfyui_hrv.nodes.host.steering import steered
from comfyui_hrv.nodes.host.unet import layout_of

from ..explicit import relative
from .explicit import Explicit
from .tiny_models import TINY, Tiny

pytestmark = pytest.mark.usefixtures("inference_mode")
COLUMNS = (1, 2)
_models: dict[str, Any] = {}


@pytest.fixture(params=list(TINY))
def tiny(request) -> Tiny:
    return TINY[request.param]


@pytest.fixture
def model(request, tiny) -> Any:
    name = request.node.callspec.params["tiny"]
    if name not in _models:
        _models[name] = tiny.model()
    return _models[name]


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


def test_there_are_as_many_sites_as_layers_and_nothing_is_left_of_a_run(tiny, model):
    assert len(layout_of(model).sites) == tiny.sites
    draw(tiny, model, factors_of(model))
    assert not any(module._forward_pre_hooks for module in model.model.modules())


@pytest.mark.parametrize(("tokens", "other"), [(7, 7), (7, 10)], ids=["together", "apart"])
def test_scaled_equals_attention_written_out(tiny, model, tokens, other):
    here, there, ours = draw(tiny, model, factors_of(model), tokens, other)
    plain = tiny.sample(model, tiny.conditioning(tiny.prompt(tokens, 1)), tiny.conditioning(tiny.prompt(other, 2)))
    assert relative(here, there) <= 1e-5
    assert relative(here, plain) > 1e-4
    assert f"{tiny.sites} of {tiny.sites} layers, 2 of 2 steps" in "".join(receipts_of(ours))


def test_neutral_is_plain_to_the_bit(tiny, model):
    positive, negative = tiny.prompt(7, 1), tiny.conditioning(tiny.prompt(7, 2))
    asked = tiny.conditioning(positive, **{KEY: annotation(factors_of(model, 1.0))})
    plain = tiny.sample(model, tiny.conditioning(positive), negative)
    assert torch.equal(tiny.sample(steered(model), asked, negative), plain)
