"""A word's strength on every family: equal to attention written out, and nothing else is touched."""

from __future__ import annotations

import pytest
import torch

from comfyui_hrv.nodes.host.conditioning import KEY
from comfyui_hrv.nodes.host.control import receipts_of
from comfyui_hrv.nodes.host.steering import steered
from comfyui_hrv.nodes.host.unet import layout_of

from ..explicit import relative
from .steered import annotation, draw, factors_of

pytestmark = pytest.mark.usefixtures("inference_mode")


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
