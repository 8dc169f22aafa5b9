"""A joint and a cross family at their real width, with 16 and 8 bit weights: few layers, an image of 16 tokens."""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from unittest.mock import patch

import comfy.model_patcher
import comfy.supported_models
import numpy as np
import pytest
import torch
from comfy.ldm.modules.attention import attention_pytorch

from comfyui_hrv.hrv_engine.relevance.build_settings import EffectSettings
from comfyui_hrv.hrv_engine.relevance.samples import Sample
from comfyui_hrv.nodes.host.conditioning import KEY
from comfyui_hrv.nodes.host.effect import NEGATIVE, POSITIVE, WITHOUT, Measurement, measurable, measure
from comfyui_hrv.nodes.host.gradients import HALF_SCALE, gradient_scale
from comfyui_hrv.nodes.host.steering import steered
from comfyui_hrv.nodes.host.unet import layout_of

from . import tiny_configs as configs
from .explicit import Explicit, halves
from .steered import COLUMNS, annotation, factors_of
from .test_votes import recorder_of
from .tiny_models import TINY, Tiny, fives

pytestmark = pytest.mark.usefixtures("inference_mode")
Z_IMAGE = configs.Z_IMAGE | {
    "dim": 3840, "n_heads": 30, "n_kv_heads": 30, "axes_dims": [32, 48, 48], "cap_feat_dim": 2560,
    "n_refiner_layers": 0, "ffn_dim_multiplier": 0.05,
}  # fmt: skip
WAN = configs.WAN | {"dim": 1536, "ffn_dim": 8960, "freq_dim": 256, "text_dim": 4096, "num_heads": 12}
WIDE = {
    "Z-Image": Tiny("ZImage", Z_IMAGE, 2560, (16, 8, 8), 2, 16, pads=4, inside=fives),
    "Wan": Tiny("WAN21_T2V", WAN, 4096, (16, 1, 8, 8), 2, 16, joint=False),
}
CALLS = {  # where the attention of these is called
    "ZImage": ("comfy.ldm.lumina.model", "optimized_attention_masked"),
    "WAN21_T2V": ("comfy.ldm.wan.model", "optimized_attention"),
}
FLOAT32, BF16, FP8, SCALED = "float32", "bf16", "fp8", "scaled fp8"
TYPES = {  # of the weights, and what the host casts them to in every layer
    FLOAT32: (torch.float32, None), BF16: (torch.bfloat16, None), FP8: (torch.float8_e4m3fn, torch.bfloat16),
    SCALED: (torch.bfloat16, torch.bfloat16),
}  # fmt: skip
ROUNDOFF = 2.0**-8  # of bfloat16: half a unit in the last of 8 digits


def random_weights(shapes: dict[str, torch.Size]) -> dict[str, torch.Tensor]:
    """Fan-in scaled random weights in bfloat16 by name; all from one pool of numbers, which is quick."""
    pool, found = torch.randn(4_000_037, generator=torch.Generator().manual_seed(3)).bfloat16(), {}
    for name, shape in shapes.items():
        if len(shape) > 1:
            scale = shape[1:].numel() ** -0.5
            found[name] = (pool * scale).repeat(-(-shape.numel() // len(pool)))[: shape.numel()].view(shape)
        else:
            found[name] = torch.full(shape, 0.0 if name.endswith("bias") else 1.0, dtype=torch.bfloat16)
    return found


def quantised(weights: dict[str, torch.Tensor], linear: list[str]) -> dict[str, torch.Tensor]:
    """The same with linear weights in fp8 and a scale each, as checkpoints for the host's mixed precision are."""
    told = torch.tensor(list(json.dumps({"format": "float8_e4m3fn"}).encode()), dtype=torch.uint8)
    found = dict(weights)
    for name in linear:
        scale = weights[f"{name}.weight"].abs().max().float() / 448
        found[f"{name}.weight"] = (weights[f"{name}.weight"].float() / scale).to(torch.float8_e4m3fn)
        found |= {f"{name}.weight_scale": scale, f"{name}.comfy_quant": told}
    return found


def full_width(tiny: Tiny, kind: str) -> Any:
    """A MODEL with weights of a kind, as the host makes it for a checkpoint on a card that computes in bfloat16."""
    config = getattr(comfy.supported_models, tiny.kind)({**tiny.config})
    config.unet_config.update(tiny.config)
    config.set_inference_dtype(*TYPES[kind])
    if kind == SCALED:
        config.quant_config = {"mixed_ops": True}
    base = config.get_model({}, "", device=torch.device("cpu"))
    module = base.diffusion_model
    linear = [name for name, part in module.named_modules() if type(part).__name__ == "Linear"]
    shapes = {name: value.shape for name, value in module.named_parameters()}
    shapes |= {
        f"{name}.weight": torch.Size(module.get_submodule(name)._orig_shape) for name in linear if kind == SCALED
    }
    weights = random_weights(shapes)
    base.load_model_weights(quantised(weights, linear) if kind == SCALED else weights, "")
    return comfy.model_patcher.ModelPatcher(base, load_device=torch.device("cpu"), offload_device=torch.device("cpu"))


def test_gradients_are_scaled_by_what_a_model_computes_in_whatever_its_weights_are():
    tiny = TINY["Wan"]
    for types, scale in (((torch.float8_e4m3fn, torch.float16), HALF_SCALE), ((torch.float16, torch.float32), 1.0)):
        config = getattr(comfy.supported_models, tiny.kind)({**tiny.config})
        config.set_inference_dtype(*types)
        assert gradient_scale(config.get_model({}, "")) == scale


class AtEverySite(Explicit):
    """Compares what the model gets for each attention call of a run with that attention in float64, rounded alike.

    error: the largest |output - expected| by sum p |v|, the size of what was added up; effect: the same of leaving out
    the factors.
    """

    error = effect = 0.0

    def on(self, model: Any) -> Any:
        clone = model.clone()
        self.own = self.context
        clone.set_model_unet_function_wrapper(self.call)
        return clone

    def run(self, function: Any, given: dict, **inputs: Any) -> torch.Tensor:
        """The model itself, with the host's attention of PyTorch, which graphics cards have."""
        attention = partial(self.attend, attention_pytorch)
        home, name = CALLS[self.tiny.kind]
        with patch.object(sys.modules[home], name, attention):
            return function(given["input"], given["timestep"], **inputs)

    def attend(self, function: Any, query: Any, key: Any, value: Any, heads: int, *more: Any, **named: Any) -> Any:
        output = function(query, key, value, heads, *more, **named)
        split = named.get("skip_reshape", False)
        if not self.is_site(*(tensor.shape[2 if split else 1] for tensor in (query, key))):
            return output
        factors = self.factors[self.site].to(value.dtype)
        self.site += 1
        assert output.dtype == value.dtype == torch.bfloat16
        scaled = (value if split else value.unflatten(2, (heads, -1)).transpose(1, 2)).clone()
        before, image = self.places()
        for row in self.rows:
            for column in self.columns:
                scaled[row, :, before + column] *= factors[:, None]  # rounded as the product is
        query, key, value = (part.double() if split else halves(part, heads) for part in (query, key, value))
        scaled = scaled.double()
        maps = (query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5).softmax(-1)
        plain, size = maps @ value, maps @ value.abs()
        expected = plain.clone()
        expected[:, :, image], size[:, :, image] = maps[:, :, image] @ scaled, maps[:, :, image] @ scaled.abs()
        given = halves(output, heads)
        self.error = max(self.error, float(((given - expected).abs() / size).max()))
        self.effect = max(self.effect, float(((plain - expected).abs() / size).max()))
        return output


@dataclass
class Case:
    """A model at full width, the conditionings of its tests, and the plain latents of one step."""

    tiny: Tiny
    kind: str
    model: Any
    positive: list = field(init=False)
    negative: list = field(init=False)
    plain: torch.Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.positive, self.negative = (self.tiny.conditioning(self.tiny.prompt(7, seed)) for seed in (1, 2))
        self.plain = self.sample(self.model, self.positive)

    def sample(self, model: Any, positive: list) -> torch.Tensor:
        return self.tiny.sample(model, positive, self.negative, steps=1)

    def asked(self, weight: float) -> list:
        return self.tiny.conditioning(self.positive[0][0], **{KEY: annotation(factors_of(self.model, weight))})


@pytest.fixture(scope="module", params=[(name, kind) for name in WIDE for kind in (BF16, FP8, SCALED)], ids=" ".join)
def case(request) -> Iterator[Case]:
    name, kind = request.param
    with torch.inference_mode():
        yield Case(WIDE[name], kind, full_width(WIDE[name], kind))
    gc.collect()


def test_weight_1_is_plain_to_the_bit_and_nothing_overflows(case):
    assert case.plain.isfinite().all() and case.plain.std() > 0.1
    assert torch.equal(case.sample(steered(case.model), case.asked(1.0)), case.plain)


@pytest.mark.parametrize("weight", [0.0, 1.5])
def test_a_weight_is_attention_in_float64_up_to_the_rounding_of_maps_and_of_the_sum(case, weight):
    """A kernel rounds each share to bfloat16 before it multiplies, and its sum once more: at most 2 u of sum p |v|.

    What float32 adds (exponentials, sums of 30 keys) is under 1 % of u.
    """
    context = case.positive[0][0]
    watched = AtEverySite(case.tiny, context, COLUMNS, factors_of(case.model, weight))
    drawn = case.sample(watched.on(steered(case.model)), case.asked(weight))
    assert watched.site == case.tiny.sites and drawn.isfinite().all()
    assert watched.error <= 2.02 * ROUNDOFF
    assert watched.effect > 10 * ROUNDOFF


def test_heads_vote_and_the_image_stays(case):
    recorder = recorder_of(case.tiny, case.model)
    recorder.begin([0])
    recorded = case.sample(recorder.attach(case.model), case.positive)
    votes = recorder.take()[0].numpy()
    assert (votes.sum(axis=0) == 2).all() and (votes.sum(axis=1) > 0).all()
    assert torch.equal(recorded, case.plain)


def test_the_gradient_of_every_head_passes(case):
    effects, layout = effects_of(case.tiny, case.model), layout_of(case.model)
    assert np.isfinite(effects).all()
    assert all(np.abs(effects[layout.head_range(site.key)]).min() > 0 for site in layout.sites)
    if case.kind == BF16:
        exact = effects_of(case.tiny, full_width(case.tiny, FLOAT32))
        assert effects @ exact / np.linalg.norm(effects) / np.linalg.norm(exact) > 0.99


def effects_of(tiny: Tiny, model: Any) -> np.ndarray:
    """Effects float [heads] of one word in one prompt."""
    settings = EffectSettings(64, 64, 2, 4.0, "euler", "simple", 7, 1, 1, 1)
    measurement = Measurement(
        settings, layout_of(model), [Sample(0, "Color", "red", "a red car", "a car")], [COLUMNS], [1], (7, 0)
    )
    conds = {
        name: tiny.conditioning(tiny.prompt(7, seed)) for seed, name in enumerate((POSITIVE, NEGATIVE, WITHOUT), 1)
    }
    noise = torch.randn(1, *tiny.latent, generator=torch.Generator().manual_seed(5))
    return measure(measurable(model, settings), conds, measurement, noise, 7, lambda *_: None)[0][0]
