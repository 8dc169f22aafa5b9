"""Reference images are rows of their own in a joint attention: only the image's queries see a scaled word."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from ..explicit import relative
from .steered import draw, factors_of
from .tiny_models import TINY

pytestmark = pytest.mark.usefixtures("inference_mode")


def latent(*shape: int) -> torch.Tensor:
    return torch.randn(1, *shape, generator=torch.Generator().manual_seed(9))


REFERENCES: dict[str, tuple[str, dict[str, int], dict[str, Any]]] = {
    "after the image, Flux.1": ("Flux.1", {"pads": 16}, {"reference_latents": [latent(16, 8, 8)]}),
    "after the image, Flux.2": ("Flux.2", {"pads": 24}, {"reference_latents": [latent(128, 4, 4), latent(128, 2, 4)]}),
    "after the image, Qwen-Image-Edit": ("Qwen-Image", {"pads": 16}, {"reference_latents": [latent(16, 1, 8, 8)]}),
    "after the image, Krea 2": (
        "Krea 2", {"pads": 16}, {"reference_latents": [latent(16, 1, 8, 8)], "reference_latents_method": "index"}
    ),
    "after the image, Mage-Flow": ("Mage-Flow", {"pads": 16}, {"reference_latents": [latent(128, 4, 4)]}),
    "before the image, OmniGen2": ("OmniGen2", {"between": 16}, {"reference_latents": [latent(16, 8, 8)]}),
    "before the image, Boogu": ("Boogu", {"between": 16}, {"reference_latents": [latent(16, 8, 8)]}),
    "before the image, HunyuanVideo": ("HunyuanVideo", {"between": 16}, {"ref_latent": latent(16, 1, 8, 8)}),
    "before the prompt, JoyImage": ("JoyImage", {"between": 16}, {"reference_latents": [latent(16, 1, 8, 8)]}),
    "in the image's rows, HiDream": ("HiDream", {"image": 32}, {"concat_latent_image": latent(16, 8, 8)}),
    "with a text of its own, Z-Image": (
        "Z-Image", {"first": 10, "between": 20},
        {"reference_latents": [latent(16, 8, 8)], "reference_latents_text_embeds": [latent(6, 24)]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", list(REFERENCES))
def test_scaled_equals_attention_written_out_beside_a_reference(case):
    name, places, given = REFERENCES[case]
    tiny = replace(TINY[name], extra={**TINY[name].extra, **given}, **places)
    model = tiny.model()
    here, there, _ = draw(tiny, model, factors_of(model), other=10)  # apart: the host fails on two rows of HunyuanVideo
    without = draw(TINY[name], model, factors_of(model), other=10)[0]
    assert relative(here, there) <= 1e-5
    assert relative(here, without) > 1e-4
