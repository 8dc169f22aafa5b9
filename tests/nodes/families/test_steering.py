"""A word's strength on every family: equal to attention written out, and nothing else is touched."""

from __future__ import annotations

import sys

import pytest
import torch

from comfyui_hrv.hrv_engine.errors import HRVError
from comfyui_hrv.nodes.host.conditioning import KEY
from comfyui_hrv.nodes.host.control import receipts_of
from comfyui_hrv.nodes.host.steering import steered
from comfyui_hrv.nodes.host.unet import layout_of

from ..explicit import relative
from .steered import annotation, draw, factors_of
from .tiny_models import TINY

pytestmark = pytest.mark.usefixtures("inference_mode")


def test_there_are_as_many_sites_as_layers_and_nothing_is_left_of_a_run(tiny, model):
    assert len(layout_of(model).sites) == tiny.sites
    draw(tiny, model, factors_of(model))
    assert not any(module._forward_pre_hooks or module._forward_hooks for module in model.model.modules())


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


def test_a_layer_whose_attention_another_node_computes_itself_is_missed_and_said(monkeypatch):
    """Its site is not taken for the next attention call that comes, which is another layer's."""
    tiny = TINY["Wan"]
    model = tiny.model()
    attention = model.model.diffusion_model.blocks[0].cross_attn
    monkeypatch.setattr(attention, "forward", lambda x, context, **_: torch.zeros_like(x))
    asked = tiny.conditioning(tiny.prompt(7, 1), **{KEY: annotation(factors_of(model))})
    with pytest.raises(HRVError, match="acted at 1 of 2 layers"):
        tiny.sample(steered(model), asked, tiny.conditioning(tiny.prompt(7, 2)))


@pytest.mark.parametrize("name", ["Flux.1", "Wan", "Ernie-Image", "PixArt"])
def test_hooks_and_lent_options_are_gone_after_a_run_that_failed(name, monkeypatch):
    tiny = TINY[name]
    model = tiny.model()
    module = model.model.diffusion_model
    home = sys.modules[tiny.optionless or "comfy.ldm.ernie.model"]
    attention, last = home.optimized_attention, module.final_linear if name == "Ernie-Image" else None
    blocks = [*module.modules()]
    broken = last or next(part for part in reversed(blocks) if isinstance(part, torch.nn.Linear))

    def fail(*_, **__):
        raise InterruptedError

    monkeypatch.setattr(broken, "forward", fail)
    asked = tiny.conditioning(tiny.prompt(7, 1), **{KEY: annotation(factors_of(model))})
    with pytest.raises(InterruptedError):
        tiny.sample(steered(model), asked, tiny.conditioning(tiny.prompt(7, 2)))
    assert not any(part._forward_pre_hooks or part._forward_hooks for part in blocks)
    assert home.optimized_attention is attention
