"""Draw one prompt and seed under many rescalings, several at once, each image as if it had been drawn alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import comfy.sample
import numpy as np
import torch
from torch import Tensor

from ...hrv_engine.errors import HRVError
from ...hrv_engine.relevance.rescale import HeadScale
from .conditioning import Conditioning, Where, with_scale
from .noise import DRAWS_NOISE
from .progress import ImageProgress
from .steering import steered


@dataclass(frozen=True)
class Sampling:
    """The settings of a stock KSampler."""

    seed: int
    steps: int
    cfg: float
    sampler_name: str
    scheduler: str


def sweep(
    model: Any,
    positive: Conditioning,
    negative: Conditioning,
    latent: dict[str, Any],
    where: Where,
    factors: np.ndarray,
    sampling: Sampling,
    at_once: int,
) -> Tensor:
    """Latents [variants ...] of one image drawn with each row of `factors` float32 [variants heads].

    Samplers that add noise of their own draw one variant at a time, because the noise of a batch differs by row.
    Raises HRVError when `latent` holds more than one image.
    """
    start = latent["samples"]
    if start.shape[0] != 1:
        raise HRVError(
            f"A sweep starts from one image, but this latent holds {start.shape[0]}. Set its batch_size to 1: the sweep"
            " itself makes one image for each combination."
        )
    start = comfy.sample.fix_empty_latent_channels(model, start, latent.get("downscale_ratio_spacial"))
    noise = comfy.sample.prepare_noise(start, sampling.seed)
    if any(part in sampling.sampler_name for part in DRAWS_NOISE):
        at_once = 1
    able, progress, drawn = steered(model), ImageProgress(model, len(factors) * sampling.steps), []
    for rows in _chunks(factors, at_once):
        marked = with_scale(positive, where, HeadScale((), rows))
        shape = (len(rows), *[1] * (start.ndim - 1))
        samples = comfy.sample.sample(
            able,
            noise.repeat(shape),
            sampling.steps,
            sampling.cfg,
            sampling.sampler_name,
            sampling.scheduler,
            marked,
            negative,
            start.repeat(shape),
            callback=progress.callback(len(rows)),
            disable_pbar=True,
            seed=sampling.seed,
        )
        drawn.append(samples)
    return torch.cat(drawn)


def _chunks(factors: np.ndarray, size: int) -> Iterator[np.ndarray]:
    for first in range(0, len(factors), size):
        yield factors[first : first + size]
