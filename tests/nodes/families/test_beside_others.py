"""Steering on transformers beside what else may be there: other rows, batches, prompts, overrides, backends."""

from __future__ import annotations

from typing import Any

import comfy.ldm.modules.attention as host_attention
import pytest
import torch

from comfyui_hrv.nodes.host.conditioning import KEY
from comfyui_hrv.nodes.host.steering import steered

from ..explicit import relative
from .explicit import Explicit
from .steered import COLUMNS, annotation, draw, factors_of
from .tiny_models import Tiny

pytestmark = pytest.mark.usefixtures("inference_mode")


class Spy:
    """Another node's override, which counts calls and uses a backend of its own."""

    def __init__(self, attention: Any = None) -> None:
        self.attention, self.calls = attention, 0

    def __call__(self, function: Any, *arguments: Any, **named: Any) -> torch.Tensor:
        self.calls += 1
        return (self.attention or function)(*arguments, **named)

    def on(self, model: Any) -> Any:
        clone = model.clone()
        clone.model_options["transformer_options"]["optimized_attention_override"] = self
        return clone


def test_every_image_of_a_batch_is_steered(tiny, model):
    if tiny.kind == "MiniMaxH3":
        pytest.skip("the host runs it on one image at a time")
    here, there, _ = draw(tiny, model, factors_of(model), batch=3)
    assert relative(here, there) <= 1e-5


def test_of_several_positives_only_the_annotated_one_is_steered(tiny, model):
    """Two prompts for the whole image and a negative, in one call and apart."""
    factors = factors_of(model)
    one, two, negative = (tiny.prompt(7, seed) for seed in (1, 3, 2))
    both = tiny.conditioning(one, **{KEY: annotation(factors)}) + tiny.conditioning(two)
    explicit = Explicit(tiny, one, COLUMNS, factors).on(model)
    plain = tiny.conditioning(one) + tiny.conditioning(two)
    unconditional = tiny.conditioning(negative)
    here = tiny.sample(steered(model), both, unconditional, steps=1)
    assert relative(here, tiny.sample(explicit, plain, unconditional, steps=1)) <= 1e-5
    assert relative(here, tiny.sample(model, plain, unconditional, steps=1)) > 1e-5


def test_the_rows_of_the_negative_are_plain_to_the_bit(tiny, model):
    """What the model predicts for the negative of a call is the same beside a steered positive."""
    seen: dict[bool, list[torch.Tensor]] = {}

    def noting(model: Any, steering: bool) -> Any:
        clone = model.clone()
        clone.set_model_sampler_pre_cfg_function(
            lambda given: seen.setdefault(steering, []).append(given["conds_out"][1].clone()) or given["conds_out"]
        )
        return clone

    positive, negative = tiny.prompt(7, 1), tiny.conditioning(tiny.prompt(7, 2))
    asked = tiny.conditioning(positive, **{KEY: annotation(factors_of(model))})
    tiny.sample(noting(model, False), tiny.conditioning(positive), negative, steps=1)
    tiny.sample(noting(steered(model), True), asked, negative, steps=1)
    assert torch.equal(seen[True][0], seen[False][0])


def test_an_override_of_another_node_stays_in_use_whether_it_came_before_or_after(tiny, model):
    positive, negative = tiny.prompt(7, 1), tiny.conditioning(tiny.prompt(7, 2))
    asked = tiny.conditioning(positive, **{KEY: annotation(factors_of(model))})
    plain, before, after = Spy(), Spy(), Spy()
    tiny.sample(plain.on(model), tiny.conditioning(positive), negative)
    first = tiny.sample(steered(before.on(model)), asked, negative)
    second = tiny.sample(after.on(steered(model)), asked, negative)
    assert torch.equal(first, second) and torch.equal(first, tiny.sample(steered(model), asked, negative))
    assert before.calls == after.calls >= plain.calls
    assert bool(plain.calls) != bool(tiny.optionless)


@pytest.mark.parametrize("backend", ["basic", "sub_quad", "split", "pytorch"])
def test_the_attention_backends_of_the_host_agree(tiny: Tiny, model, backend):
    if tiny.optionless:
        pytest.skip("this model asks no override, so its backend is the process's")
    positive, negative = tiny.prompt(7, 1), tiny.conditioning(tiny.prompt(7, 2))
    asked = tiny.conditioning(positive, **{KEY: annotation(factors_of(model))})
    spy, ours = Spy(getattr(host_attention, f"attention_{backend}")), steered(model)
    here, there = (tiny.sample(one, asked, negative, steps=1) for one in (spy.on(ours), ours))
    assert relative(here, there) <= 1e-4 and spy.calls
