"""The denoisers of pocket models: the host's own UNet or its own Flux in small, in pixels moved to channels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import comfy.latent_formats
import comfy.model_base
import comfy.model_management
import comfy.model_patcher
import comfy.model_sampling
import comfy.sd1_clip
import comfy.supported_models_base
import torch
from torch import Tensor

from ...hrv_engine.pocket.diffusion import LATENT_CHANNELS, PATCH
from ...hrv_engine.pocket.network import UNetConfig


class PocketLatent(comfy.latent_formats.LatentFormat):
    """48 channels at a quarter of the resolution: the pixels themselves, so previews are exact."""

    latent_channels = LATENT_CHANNELS
    spacial_downscale_ratio = PATCH

    def __init__(self) -> None:
        self.latent_rgb_factors = torch.eye(3).tolist()
        self.latent_rgb_factors_reshape = lambda latent: torch.nn.functional.pixel_shuffle(latent, PATCH)


class PocketConfig(comfy.supported_models_base.BASE):
    """ComfyUI's model configuration of the pocket model: an SD1.x in small."""

    latent_format = PocketLatent
    unet_extra_config: dict[str, Any] = {}

    def inpaint_model(self) -> bool:
        return False

    def clip_target(self, state_dict: dict | None = None) -> comfy.supported_models_base.ClipTarget:
        return comfy.supported_models_base.ClipTarget(comfy.sd1_clip.SD1Tokenizer, comfy.sd1_clip.SD1ClipModel)


class PocketFluxConfig(PocketConfig):
    """The same around a Flux: noise levels are those of the sampler's scheduler, not shifted."""

    sampling_settings = {"shift": 0.0}


class PocketSampling(comfy.model_sampling.ModelSamplingDiscrete, comfy.model_sampling.X0):
    """Stable Diffusion's schedule with a model that predicts the clean latent."""


def load_unet(
    config: Mapping[str, Any], weights: dict[str, Tensor], dtype: torch.dtype
) -> comfy.model_patcher.ModelPatcher:
    """A UNet of a `UNetConfig`'s fields that predicts the clean latent."""
    settings: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in config.items()}
    model_config = PocketConfig(UNetConfig(**settings).comfy())
    model_config.set_inference_dtype(dtype, None)
    model = comfy.model_base.BaseModel(model_config, comfy.model_base.ModelType.EPS, device=_offload())
    model.model_sampling = PocketSampling(model_config)
    return _patcher(model, weights)


def load_flux(
    config: Mapping[str, Any], weights: dict[str, Tensor], dtype: torch.dtype
) -> comfy.model_patcher.ModelPatcher:
    """A Flux of the host's `FluxParams` that predicts noise minus image at x_t = t * noise + (1 - t) * image."""
    model_config = PocketFluxConfig(dict(config))
    model_config.set_inference_dtype(dtype, None)
    return _patcher(comfy.model_base.Flux(model_config, device=_offload()), weights)


def _offload() -> torch.device:
    return comfy.model_management.unet_offload_device()


def _patcher(model: comfy.model_base.BaseModel, weights: dict[str, Tensor]) -> comfy.model_patcher.ModelPatcher:
    model.diffusion_model.load_state_dict(weights, strict=True)
    patcher = getattr(comfy.model_patcher, "CoreModelPatcher", comfy.model_patcher.ModelPatcher)
    return patcher(model.eval(), load_device=comfy.model_management.get_torch_device(), offload_device=_offload())
