"""DDIM inversion through the host's own sampling, so that LoRA, ControlNet and every prediction type are in it."""

from typing import Any

import comfy.sample
import comfy.samplers
import torch
from torch import Tensor

from ...hrv_engine.editing.ddim_inversion import Trajectory, ddim_invert
from ...hrv_engine.errors import HRVError
from .conditioning import Conditioning
from .progress import ImageProgress


def invert(
    model: Any, positive: Conditioning, latent: dict[str, Any], steps: int, scheduler: str, label: str, measure: bool
) -> tuple[Trajectory, Tensor, float | None]:
    """(trajectory in the model's own latents, start latent as a LATENT holds it, relative error of sampling it back).

    Without guidance (cfg 1). The error is None unless measured, which takes as many UNet calls again.
    Raises HRVError for a latent of several images or an empty one.
    """
    samples = latent["samples"]
    if samples.shape[0] != 1:
        raise HRVError(
            f"This latent holds {samples.shape[0]} images; one is inverted at a time. Pick one with Latent From Batch."
        )
    if not samples.count_nonzero():
        raise HRVError(
            "This latent is empty, so there is no image to invert. Connect an image through VAE Encode; to edit"
            " generated images, connect the empty latent to the editing node itself."
        )
    sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), scheduler, steps)
    progress = ImageProgress(model, (2 if measure else 1) * (len(sigmas) - 1))
    kept: list[Trajectory] = []

    def inversion(inner: Any, x: Tensor, rising: Tensor, extra_args: dict, callback: Any, disable: Any) -> Tensor:
        kept.append(ddim_invert(inner, x, rising, label, extra_args, callback))
        return kept[0].latents[-1]

    ends = (positive, positive, samples)
    noise, one = torch.zeros_like(samples), {"callback": progress.callback(1), "disable_pbar": True, "seed": 0}
    sampler = comfy.samplers.KSAMPLER(inversion)
    start = comfy.sample.sample_custom(model, noise, 1.0, sampler, sigmas.flip(0), *ends, **one)
    error = None
    if measure:
        euler = comfy.samplers.sampler_object("euler")
        again = comfy.sample.sample_custom(model, noise, 1.0, euler, sigmas, positive, positive, start, **one)
        error = float((again - samples).norm() / samples.norm())
    return kept[0], start, error
