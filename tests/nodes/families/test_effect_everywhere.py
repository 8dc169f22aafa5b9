"""Effects of heads on every family, of a prompt of random embeddings: the gradient is the true one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from comfy.nested_tensor import NestedTensor

from comfyui_hrv.hrv_engine.errors import HRVError
from comfyui_hrv.hrv_engine.relevance.build_settings import EffectSettings
from comfyui_hrv.hrv_engine.relevance.samples import Sample
from comfyui_hrv.nodes.host.build import empty_latent
from comfyui_hrv.nodes.host.effect import NEGATIVE, POSITIVE, WITHOUT, Measurement, measurable, measure
from comfyui_hrv.nodes.host.unet import layout_of

from ..build.slopes import Values
from .tiny_models import TINY

pytestmark = pytest.mark.usefixtures("inference_mode")
SETTINGS = EffectSettings(64, 64, 2, 4.0, "euler", "simple", 7, 1, 1, 1)


def test_the_gradient_is_that_of_finite_differences(tiny, model, monkeypatch):
    values = Values(monkeypatch)
    layout = layout_of(model)
    sample = Sample(0, "Color", "red", "a red car", "a car")
    measurement = Measurement(SETTINGS, layout, [sample], [(1, 2)], [1], (7, 0))
    conds = {
        name: tiny.conditioning(tiny.prompt(7, seed)) for seed, name in enumerate((POSITIVE, NEGATIVE, WITHOUT), 1)
    }
    generator = torch.Generator().manual_seed(5)
    noise: Any = [torch.randn(1, *shape, generator=generator) for shape in (tiny.latent, tiny.sound) if shape]
    noise = NestedTensor(noise) if tiny.sound else noise[0]
    effects, _ = measure(measurable(model, SETTINGS), conds, measurement, noise, 7, lambda *_: None)
    (step,) = values.steps
    slopes = np.array(step["slopes"])
    assert step["directions"] @ effects[0] == pytest.approx(slopes, rel=1e-2, abs=1e-2 * np.abs(slopes).max())
    assert effects.sum() == pytest.approx(step["all"], rel=1e-2, abs=1e-4)
    for site in layout.sites:
        assert np.abs(effects[0][layout.head_range(site.key)]).max() > 0


def test_a_model_that_draws_only_with_sound_is_refused_by_name():
    with pytest.raises(HRVError, match="MiniMax H3.*of sound"):
        empty_latent(TINY["MiniMax H3"].model(), 1, 64, 64)
