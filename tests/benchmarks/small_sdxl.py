"""A small SDXL with random weights: the blocks of the real one, narrower."""

from __future__ import annotations

from typing import Any

import comfy.ops
import comfy.sdxl_clip
import comfy.supported_models
import torch
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel

from comfyui_hrv.tools.random_checkpoint import SDXL_UNET as UNET

from .full_size import with_text_encoder

CHANNELS, FULL_CHANNELS = 128, 320  # of the first level, here and in SDXL
SIDE, FULL_SIDE = 80, 128  # of the latent; pixels over channels is what it is in SDXL at 1024x1024
WIDTHS, FULL_WIDTHS = (256, 512), (768, 1280)  # of the two text encoders, here and in SDXL
SIZES = 6 * 256  # channels of the conditioning on image sizes


def small_sdxl(channels: int = CHANNELS, widths: tuple[int, int] = WIDTHS, **smaller: Any) -> tuple[Any, Any]:
    """MODEL and CLIP: transformers of depths 2 and 10, heads of 64 channels, none at full resolution.

    widths: of the text encoders; smaller: overrides the UNet's config.
    """
    unet = UNET | {"model_channels": channels, "context_dim": sum(widths), "adm_in_channels": widths[1] + SIZES}
    encoders = {
        f"clip_{letter}_model_config": {
            "hidden_size": width, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 64,
            "projection_dim": width,
        }
        for letter, width in zip("lg", widths, strict=True)
    }  # fmt: skip
    classes = comfy.sdxl_clip.SDXLTokenizer, comfy.sdxl_clip.SDXLClipModel
    return with_text_encoder(comfy.supported_models.SDXL(unet | smaller), *classes, encoders)


def full_sdxl_numbers() -> int:
    """How many numbers the weights of the real SDXL's UNet are; nothing is allocated."""
    with torch.device("meta"):
        whole = UNetModel(**UNET, operations=comfy.ops.disable_weight_init)
    return sum(parameter.numel() for parameter in whole.parameters())
