"""Models that share the class of a family, or derive from it, and build its layers differently."""

from __future__ import annotations

import pytest
import torch

from comfyui_hrv.nodes.host.conditioning import KEY
from comfyui_hrv.nodes.host.control import receipts_of
from comfyui_hrv.nodes.host.families import family_of
from comfyui_hrv.nodes.host.steering import steered

from ..explicit import relative
from . import tiny_configs as configs
from .steered import annotation, draw, factors_of
from .tiny_models import FRAMES, IMAGE, Tiny, seen

pytestmark = pytest.mark.usefixtures("inference_mode")
KIN = {
    "LongCat": ("Flux", Tiny("LongCatImage", configs.LONGCAT, 24, IMAGE, 4, 16)),
    "Chroma Radiance": ("Flux", Tiny("ChromaRadiance", configs.RADIANCE, 24, (3, 16, 16), 4, 16)),
    "Wan, causal": (
        "Wan", Tiny("WAN21_CausalAR_T2V", configs.WAN, 24, FRAMES, 2, 32, joint=False, grid=(2, 4, 4))
    ),
    "Wan with a camera": (
        "Wan",
        Tiny(
            "WAN21_Camera", configs.WAN | {"model_type": "camera", "in_dim": 32, "in_dim_control_adapter": 24}, 24,
            FRAMES, 2, 32, joint=False, grid=(2, 4, 4), extra={"clip_vision_output": seen},
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", list(KIN))
def test_scaled_equals_attention_written_out(name):
    family, tiny = KIN[name]
    model = tiny.model()
    here, there, _ = draw(tiny, model, factors_of(model))
    assert family_of(model.model.diffusion_model).name == family
    assert relative(here, there) <= 1e-5


def test_wan_vace_is_steered_in_its_own_layers_and_not_in_those_of_its_control():
    config = configs.WAN | {"model_type": "vace", "vace_layers": 1, "vace_in_dim": 96}
    tiny = Tiny("WAN21_Vace", config, 24, FRAMES, 2, 32, joint=False, grid=(2, 4, 4))
    model, context, negative = tiny.model(), tiny.prompt(7, 1), tiny.conditioning(tiny.prompt(7, 2))
    ours = steered(model)
    plain = tiny.sample(model, tiny.conditioning(context), negative)
    zero = tiny.conditioning(context, **{KEY: annotation(factors_of(model, 1.0))})
    asked = tiny.conditioning(context, **{KEY: annotation(factors_of(model))})
    assert torch.equal(tiny.sample(ours, zero, negative), plain)
    assert relative(tiny.sample(ours, asked, negative), plain) > 1e-4
    assert "2 of 2 layers, 2 of 2 steps, 4 rows in 4 attention calls" in "".join(receipts_of(ours))
