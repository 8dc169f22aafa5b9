"""A tiny random MODEL / CLIP pair of ComfyUI's own classes: every mechanism in milliseconds, no meaning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import comfy.model_management
import comfy.model_patcher
import comfy.sd
import comfy.sd1_clip
import comfy.sdxl_clip
import comfy.supported_models
import comfy.supported_models_base
import comfy.utils
import torch

import nodes

UNET = {
    "image_size": 16, "in_channels": 4, "out_channels": 4,
    "model_channels": 32, "num_res_blocks": [1, 1], "channel_mult": [1, 2],
    "transformer_depth": [1, 2], "transformer_depth_middle": 1,
    "transformer_depth_output": [2, 2, 1, 1], "context_dim": 64,
    "num_heads": 4, "num_head_channels": -1,
    "use_spatial_transformer": True, "legacy": False, "use_linear_in_transformer": False,
    "adm_in_channels": None, "num_classes": None, "use_checkpoint": False, "use_temporal_attention": False,
    "use_temporal_resblock": False,
}  # fmt: skip
CLIP = {
    "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128, "projection_dim": 64
}  # fmt: skip


class TinySD15(comfy.supported_models.SD15):
    """SD1.5 in everything but its size."""

    unet_config: dict[str, Any] = {}
    unet_extra_config: dict[str, Any] = {}


@dataclass
class Trio:
    """model and clip, with the shorthands every host test needs."""

    model: Any
    clip: Any

    def encode(self, text: str) -> list:
        """Core's CLIP Text Encode."""
        return nodes.CLIPTextEncode().encode(self.clip, text)[0]

    def sample(
        self,
        model: Any,
        positive: list,
        negative: list,
        seed: int = 1,
        steps: int = 2,
        batch: int = 1,
        size: int = 64,
        sampler: str = "euler",
        cfg: float = 5.0,
        latent: dict | None = None,
    ) -> torch.Tensor:
        """Latents of the stock KSampler."""
        latent = latent or nodes.EmptyLatentImage().generate(size, size, batch)[0]
        return nodes.common_ksampler(model, seed, steps, cfg, sampler, "normal", positive, negative, latent)[0][
            "samples"
        ]


class TinySDXL(comfy.supported_models.SDXL):
    """SDXL in everything but its size: two text encoders, pooled vectors, deep transformers."""

    unet_config: dict[str, Any] = {}
    unet_extra_config: dict[str, Any] = {}


def tiny_trio(seed: int = 0, config: dict[str, Any] = UNET) -> Trio:
    """A fresh tiny SD1.5 with random weights; unit-scale activations, so that effects are far above rounding."""
    target = comfy.supported_models_base.ClipTarget(comfy.sd1_clip.SD1Tokenizer, comfy.sd1_clip.SD1ClipModel)
    return _trio(TinySD15(dict(config)), target, {"clip_l_model_config": dict(CLIP)}, seed)


def tiny_sdxl(seed: int = 0) -> Trio:
    """A fresh tiny SDXL with random weights: context of 2 x 64 channels, pooled of 64, 16-channel heads."""
    config = UNET | {
        "context_dim": 128, "num_heads": -1, "num_head_channels": 16, "use_linear_in_transformer": True,
        "num_classes": "sequential", "adm_in_channels": 64 + 6 * 256, "transformer_depth": [0, 2],
        "transformer_depth_output": [2, 2, 0, 0],
    }  # fmt: skip
    target = comfy.supported_models_base.ClipTarget(comfy.sdxl_clip.SDXLTokenizer, comfy.sdxl_clip.SDXLClipModel)
    sizes = {
        "clip_l_model_config": CLIP | {"num_hidden_layers": 3},
        "clip_g_model_config": CLIP | {"num_hidden_layers": 3},
    }
    return _trio(TinySDXL(config), target, sizes, seed)


def _trio(config: Any, target: Any, text_sizes: dict[str, Any], seed: int) -> Trio:
    config.set_inference_dtype(torch.float32, None)
    device = comfy.model_management.get_torch_device()
    base = config.get_model({}, "", device=device)
    randomise(base.diffusion_model, seed)
    model = comfy.model_patcher.CoreModelPatcher(base, load_device=device, offload_device=device)
    clip = comfy.sd.CLIP(target, embedding_directory=None, model_options=text_sizes, state_dict=[])
    randomise(clip.cond_stage_model, seed + 1)
    return Trio(model, clip)


def randomise(module: torch.nn.Module, seed: int) -> None:
    """Fan-in scaled random weights, zero biases, unit norms."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if parameter.ndim > 1:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * parameter[0].numel() ** -0.5)
            else:
                parameter.fill_(0.0 if name.endswith("bias") else 1.0)
