"""A small SDXL with random weights: the blocks of the real one, narrower."""

from __future__ import annotations

from typing import Any

import comfy.ops
import comfy.sdxl_clip
import comfy.supported_models
import torch
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel

from .full_size import with_text_encoder

CHANNELS, FULL_CHANNELS = 128, 320  # of the first level, here and in SDXL
SIDE, FULL_SIDE = 80, 128  # of the latent; pixels over channels is what it is in SDXL at 1024x1024
UNET: dict[str, Any] = {
    "use_checkpoint": False, "image_size": 32, "in_channels": 4, "out_channels": 4, "use_spatial_transformer": True,
    "legacy": False, "use_temporal_attention": False, "use_temporal_resblock": False,
    "num_res_blocks": [2, 2, 2], "channel_mult": [1, 2, 4], "num_head_channels": 64,
    "transformer_depth": [0, 0, 2, 2, 10, 10], "transformer_depth_middle": 10,
    "transformer_depth_output": [0, 0, 0, 2, 2, 2, 10, 10, 10],
    "use_linear_in_transformer": True, "num_classes": "sequential",
}  # fmt: skip
WIDTHS, FULL_WIDTHS = (256, 512), (768, 1280)  # of the two text encoders
SIZES = 6 * 256  # channels of the conditioning on picture sizes


def small_sdxl(channels: int = CHANNELS) -> tuple[Any, Any]:
    """MODEL and CLIP: transformers of depths 2 and 10, heads of 64 channels, none at full resolution."""
    encoders = {
        f"clip_{letter}_model_config": {
            "hidden_size": width, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 64,
            "projection_dim": width,
        }
        for letter, width in zip("lg", WIDTHS, strict=True)
    }  # fmt: skip
    classes = comfy.sdxl_clip.SDXLTokenizer, comfy.sdxl_clip.SDXLClipModel
    return with_text_encoder(comfy.supported_models.SDXL(_config(channels, WIDTHS)), *classes, encoders)


def full_sdxl_numbers() -> int:
    """How many numbers the weights of the real SDXL's UNet are; nothing is allocated."""
    unet = _config(FULL_CHANNELS, FULL_WIDTHS)
    with torch.device("meta"):
        whole = UNetModel(**unet, num_heads=-1, operations=comfy.ops.disable_weight_init)
    return sum(parameter.numel() for parameter in whole.parameters())


def _config(channels: int, widths: tuple[int, int]) -> dict[str, Any]:
    return UNET | {"model_channels": channels, "context_dim": sum(widths), "adm_in_channels": widths[1] + SIZES}
