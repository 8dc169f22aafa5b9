"""Draw one prompt and seed under many rescalings, several at once, each image as if it had been drawn alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import comfy.sample
import comfy.samplers
import numpy as np
import torch
from comfy.nested_tensor import cat_nested
from comfy.patcher_extension import WrappersMP

from ...hrv_engine.errors import HRVError
from ...hrv_engine.relevance.rescale import HeadScale
from .conditioning import KEY, Conditioning, PairedPrompts, Where, with_scale
from .families import family_of
from .progress import ImageProgress
from .receipt import OPTIONS, owner
from .sampler_support import SamplerSupport
from .steering import steered

AROUND_CALLS = (  # wrappers in which another pack may look at a whole batch, as caches do
    WrappersMP.OUTER_SAMPLE,
    WrappersMP.PREDICT_NOISE,
    WrappersMP.CALC_COND_BATCH,
    WrappersMP.DIFFUSION_MODEL,
)


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
) -> Any:
    """Latents [variants ...] of one image drawn with each row of `factors` float32 [variants heads].

    They are a tensor, or the host's NestedTensor where `latent` is one (a video with its sound).
    Where the rows of a batch may differ from single images (a sampler that adds noise of its own, guidance or a cache
    that looks at the whole batch), or the model draws no batches, one variant is drawn at a time.
    Raises HRVError when `latent` holds more than one image, or `positive` the prompts of an edit.
    """
    if any(isinstance(values.get(KEY), PairedPrompts) for _, values in positive):
        raise HRVError(
            "This conditioning holds the stacked prompts of an editing node, and a sweep draws one prompt. Connect the"
            " source or the target prompt itself, from HRV Prompt."
        )
    start = latent["samples"]
    if start.shape[0] != 1:
        raise HRVError(
            f"A sweep starts from one image, but this latent holds {start.shape[0]}. Set its batch_size to 1: the sweep"
            " itself makes one image for each combination."
        )
    ratios = (latent.get("downscale_ratio_spacial"), latent.get("downscale_ratio_temporal"))
    start = comfy.sample.fix_empty_latent_channels(model, start, *ratios)
    noise = comfy.sample.prepare_noise(start, sampling.seed, latent.get("batch_index"))
    if at_once > 1 and not rows_alone(model, sampling, noise):
        at_once = 1
    able, progress, drawn = steered(model), ImageProgress(model, len(factors) * sampling.steps), []
    for rows in _chunks(factors, at_once):
        marked = with_scale(positive, where, HeadScale((), rows))
        samples = comfy.sample.sample(
            able,
            _repeated(noise, len(rows)),
            sampling.steps,
            sampling.cfg,
            sampling.sampler_name,
            sampling.scheduler,
            marked,
            negative,
            _repeated(start, len(rows)),
            noise_mask=latent.get("noise_mask"),
            callback=progress.callback(len(rows)),
            disable_pbar=True,
            seed=sampling.seed,
        )
        drawn.append(samples)
    return cat_nested(drawn) if start.is_nested else torch.cat(drawn)


def rows_alone(model: Any, sampling: Sampling, noise: Any) -> bool:
    """Whether the model draws batches, and each image of one is known to be the one it would be alone."""
    if not family_of(model.model.diffusion_model).batches:
        return False
    around = [wrapper for kind in AROUND_CALLS for group in model.wrappers.get(kind, {}).values() for wrapper in group]
    if any(map(owner, [*around, *map(model.model_options.get, OPTIONS)])):
        return False
    options, names = model.model_options, (sampling.sampler_name, sampling.scheduler)
    stock = comfy.samplers.KSampler(model, sampling.steps, noise.device, *names, model_options=options)
    guider = comfy.samplers.CFGGuider(model)
    guider.inner_model = model.model
    sampler = comfy.samplers.sampler_object(sampling.sampler_name)
    try:
        like = noise.unbind()[0] if noise.is_nested else noise
        return SamplerSupport(sampler, guider, stock.sigmas, like).rows_alone(options)
    except HRVError:  # it cannot be tried on a toy
        return False


def _repeated(latent: Any, count: int) -> Any:
    """The same latent of one image so many times."""
    if latent.is_nested:
        return type(latent)([_repeated(part, count) for part in latent.unbind()])
    return latent.repeat(count, *[1] * (latent.ndim - 1))


def _chunks(factors: np.ndarray, size: int) -> Iterator[np.ndarray]:
    for first in range(0, len(factors), size):
        yield factors[first : first + size]
