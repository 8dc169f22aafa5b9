"""The pocket model as ComfyUI's own MODEL, CLIP and VAE: only configuration and weights are ours."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import comfy.model_patcher
import comfy.patcher_extension
import comfy.pixel_space_convert
import comfy.sd
import torch
from torch import Tensor

from ...hrv_engine.errors import HRVError
from ...hrv_engine.pocket.diffusion import LATENT_CHANNELS, PATCH
from ...hrv_engine.pocket.model import FLUX_SIDE, SIDE
from ...hrv_engine.pocket.text import TextConfig, Vocabulary
from ...hrv_engine.pocket.weights import read_weights
from .pocket_denoiser import PocketConfig, load_flux, load_unet

_EMBEDDING = "text_model.embeddings.token_embedding.weight"


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


def load_pocket(path: str | Path, dtype: torch.dtype = torch.float32) -> Pocket:
    """The pocket model of a file, one of `models()` or your own; an HRVError if the file is missing or is none.

    dtype: of the denoiser.
    """
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
    flux = config.get("flux")
    side = config.get("side", FLUX_SIDE if flux else SIDE)
    denoiser = _without("unet.", weights)
    model = load_flux(flux, denoiser, dtype) if flux else load_unet(config["unet"], denoiser, dtype)
    model.add_wrapper_with_key(comfy.patcher_extension.WrappersMP.OUTER_SAMPLE, "hrv_pocket", SizeCheck(side))
    clip = _load_clip(TextConfig(**config["text"]), Vocabulary(config["words"]), _without("text.", weights))
    return Pocket(model, clip, PocketVAE(), empty_latent(side))
