"""The tiny model once more, as diffusers' UNet2DConditionModel with the same weights."""

from __future__ import annotations

from typing import Any

import comfy.utils
import torch
from diffusers import UNet2DConditionModel

from .tiny import UNET

SHALLOW: dict[str, Any] = UNET | {"transformer_depth": [1, 1], "transformer_depth_output": [1, 1, 1, 1]}


def diffusers_twin(model: Any) -> UNet2DConditionModel:
    """The UNet of a tiny MODEL made with SHALLOW; raises RuntimeError when a weight finds no place."""
    width, heads = SHALLOW["model_channels"], SHALLOW["num_heads"]
    unet = UNet2DConditionModel(
        sample_size=SHALLOW["image_size"],
        in_channels=SHALLOW["in_channels"],
        out_channels=SHALLOW["out_channels"],
        layers_per_block=1,
        block_out_channels=[width * factor for factor in SHALLOW["channel_mult"]],
        down_block_types=["CrossAttnDownBlock2D"] * 2,
        up_block_types=["CrossAttnUpBlock2D"] * 2,
        cross_attention_dim=SHALLOW["context_dim"],
        attention_head_dim=heads,  # diffusers' name for the number of heads
    )
    weights = model.model.diffusion_model.state_dict()
    places = comfy.utils.unet_to_diffusers(SHALLOW)
    names = unet.state_dict()
    unet.load_state_dict({name: weights[places[name]].clone() for name in names}, strict=True)
    return unet.eval().to(torch.float32)
