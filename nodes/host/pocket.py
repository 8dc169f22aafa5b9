"""The pocket model as ComfyUI's own MODEL, CLIP and VAE: only configuration and weights are ours."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

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
import torch
from torch import Tensor

from ...hrv_engine.errors import HRVError
from ...hrv_engine.pocket.diffusion import LATENT_CHANNELS, PATCH
from ...hrv_engine.pocket.model import SIDE
from ...hrv_engine.pocket.network import UNetConfig
from ...hrv_engine.pocket.text import TextConfig, Vocabulary
from ...hrv_engine.pocket.weights import read_weights

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


@dataclass(frozen=True)
class SizeCheck:
    """OUTER_SAMPLE wrapper: another size takes minutes and gives nothing, so it is refused before the first step."""

    side: int

    def __call__(self, executor: Any, noise: Tensor, *args: Any, **named: Any) -> Any:
        height, width = (positions * PATCH for positions in noise.shape[-2:])
        if (height, width) != (self.side, self.side):
            raise HRVError(
                f"This latent is {width} x {height} pixels, but this pocket model draws {self.side} x {self.side} only."
                f" Use the LATENT of HRV Pocket Model, or set width and height of Empty Latent Image to {self.side}."
            )
        return executor(noise, *args, **named)


def empty_latent(side: int) -> dict[str, Any]:
    """A LATENT of one empty image of the model's size."""
    positions = side // PATCH
    return {"samples": torch.zeros(1, LATENT_CHANNELS, positions, positions), "downscale_ratio_spacial": PATCH}


class Pocket(NamedTuple):
    """A pocket model as ComfyUI's own objects, and an empty latent of the only size it draws."""

    model: comfy.model_patcher.ModelPatcher
    clip: comfy.sd.CLIP
    vae: comfy.sd.VAE
    latent: dict[str, Any]


def load_pocket(path: str | Path) -> Pocket:
    """The pocket model of a file, one of `MODELS` or your own; an HRVError if the file is missing or is none."""
    if not Path(path).is_file():
        raise HRVError(
            f'There is no pocket model at "{path}". It comes with the pack: fetch the pack again, or train the model'
            " with make train-pocket."
        )
    weights, metadata = read_weights(path)
    if "pocket" not in metadata:
        raise HRVError(
            f'"{path}" is no pocket model: its metadata has no "pocket" entry. The files that come with the pack are in'
            " hrv_presets/pocket."
        )
    config = json.loads(metadata["pocket"])
    side = config.get("side", SIDE)
    settings: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in config["unet"].items()}
    unet = UNetConfig(**settings)
    model = _load_unet(unet, _without("unet.", weights))
    model.add_wrapper_with_key(comfy.patcher_extension.WrappersMP.OUTER_SAMPLE, "hrv_pocket", SizeCheck(side))
    clip = _load_clip(TextConfig(**config["text"]), Vocabulary(config["words"]), _without("text.", weights))
    return Pocket(model, clip, PocketVAE(), empty_latent(side))
