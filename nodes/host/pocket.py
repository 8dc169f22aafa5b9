"""The pocket model as ComfyUI's own MODEL, CLIP and VAE: only configuration and weights are ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import comfy.latent_formats
import comfy.model_base
import comfy.model_management
import comfy.model_patcher
import comfy.model_sampling
import comfy.patcher_extension
import comfy.pixel_space_convert
import comfy.sd
import comfy.sd1_clip
import comfy.supported_models_base
import comfy.utils
import torch
from torch import Tensor

from ...hrv_engine.errors import HRVError
from ...hrv_engine.paths import PRESETS
from ...hrv_engine.pocket.diffusion import LATENT_CHANNELS, PATCH
from ...hrv_engine.pocket.network import UNetConfig
from ...hrv_engine.pocket.scorer import SIDE
from ...hrv_engine.pocket.text import TextConfig, Vocabulary

WEIGHTS = PRESETS / "pocket" / "pocket.safetensors"
_EMBEDDING = "text_model.embeddings.token_embedding.weight"


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


class PocketSampling(comfy.model_sampling.ModelSamplingDiscrete, comfy.model_sampling.X0):
    """Stable Diffusion's schedule with a model that predicts the clean latent."""


class PixelUnshuffle(comfy.pixel_space_convert.PixelspaceConversionVAE):
    """Images to latents by moving pixels into channels; nothing is lost and nothing is learned."""

    def encode(self, pixels: Tensor, *_args: Any, **_kwargs: Any) -> Tensor:
        return torch.nn.functional.pixel_unshuffle(pixels, PATCH)

    def decode(self, samples: Tensor, *_args: Any, **_kwargs: Any) -> Tensor:
        return torch.nn.functional.pixel_shuffle(samples, PATCH)


class PocketVAE(comfy.sd.VAE):
    """A stock VAE around :class:`PixelUnshuffle`."""

    def __init__(self) -> None:
        super().__init__(sd={"pixel_space_vae": torch.tensor(1.0)}, dtype=torch.float32)
        self.downscale_ratio = self.upscale_ratio = PATCH
        self.latent_channels = LATENT_CHANNELS
        # The range of a latent is −1..1 like that of an image in training; see hrv_engine/pocket/diffusion.py.
        self.first_stage_model.__class__ = PixelUnshuffle


def _without(prefix: str, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name[len(prefix) :]: value for name, value in weights.items() if name.startswith(prefix)}


def _load_unet(config: UNetConfig, weights: dict[str, Tensor]) -> comfy.model_patcher.ModelPatcher:
    model_config = PocketConfig(config.comfy())
    model_config.set_inference_dtype(torch.float32, None)
    offload = comfy.model_management.unet_offload_device()
    model = comfy.model_base.BaseModel(model_config, comfy.model_base.ModelType.EPS, device=offload)
    model.model_sampling = PocketSampling(model_config)
    model.diffusion_model.load_state_dict(weights, strict=True)
    patcher = getattr(comfy.model_patcher, "CoreModelPatcher", comfy.model_patcher.ModelPatcher)
    return patcher(model.eval(), load_device=comfy.model_management.get_torch_device(), offload_device=offload)


def _load_clip(config: TextConfig, vocabulary: Vocabulary, weights: dict[str, Tensor]) -> comfy.sd.CLIP:
    weights = {**weights, _EMBEDDING: vocabulary.scatter(weights[_EMBEDDING])}
    options = {"clip_l_model_config": config.comfy(), "dtype": torch.float32}
    clip = comfy.sd.CLIP(PocketConfig({}).clip_target(), tokenizer_data={}, model_options=options)
    _, unexpected = clip.load_sd(weights)
    if unexpected:
        raise HRVError(f"The pocket model's file holds text weights unknown to CLIP: {', '.join(unexpected[:4])}.")
    return clip


def check_size(executor: Any, noise: Tensor, *args: Any, **named: Any) -> Any:
    """OUTER_SAMPLE wrapper: another size takes minutes and gives nothing, so it is refused before the first step."""
    height, width = (side * PATCH for side in noise.shape[-2:])
    if (height, width) != (SIDE, SIDE):
        raise HRVError(
            f"This latent is {width} x {height} pixels, but the pocket model draws {SIDE} x {SIDE} only. Set"
            f" width and height of Empty Latent Image to {SIDE}."
        )
    return executor(noise, *args, **named)


def load_pocket(path: str | Path = WEIGHTS) -> tuple[comfy.model_patcher.ModelPatcher, comfy.sd.CLIP, comfy.sd.VAE]:
    """MODEL, CLIP and VAE of the pocket model; an HRVError if the file is missing or is none."""
    if not Path(path).is_file():
        raise HRVError(
            f'There is no pocket model at "{path}". It comes with the pack: fetch the pack again, or train the model'
            " with make train-pocket."
        )
    weights, metadata = comfy.utils.load_torch_file(str(path), safe_load=True, return_metadata=True)
    if "pocket" not in (metadata or {}):
        raise HRVError(
            f'"{path}" is no pocket model: its metadata has no "pocket" entry. The file that comes with the pack is'
            " hrv_presets/pocket/pocket.safetensors."
        )
    config = json.loads(metadata["pocket"])
    weights = {name: value.float() for name, value in weights.items()}
    settings: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in config["unet"].items()}
    unet = UNetConfig(**settings)
    model = _load_unet(unet, _without("unet.", weights))
    model.add_wrapper_with_key(comfy.patcher_extension.WrappersMP.OUTER_SAMPLE, "hrv_pocket", check_size)
    clip = _load_clip(TextConfig(**config["text"]), Vocabulary(config["words"]), _without("text.", weights))
    return model, clip, PocketVAE()
