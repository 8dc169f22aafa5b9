"""A model that keeps the rows of a pair together over a run: the same noise, replayed sources, blended targets."""

from typing import Any

import torch
from comfy.patcher_extension import WrappersMP
from torch import Tensor

from ...hrv_engine.editing.ddim_inversion import Trajectory
from ...hrv_engine.errors import HRVError
from .conditioning import KEY, PairedPrompts
from .control import install
from .noise import SharedNoise
from .pair_run import PAIRS, PairRun
from .rehearsal import with_options
from .run import RUN, annotated
from .sampler_support import SamplerSupport
from .steering import steered


def paired(model: Any) -> Any:
    """A clone of MODEL that carries out the branch edits its conditionings ask for; doing it twice changes nothing."""
    wrappers: dict[str, Any] = {WrappersMP.SAMPLER_SAMPLE: run_pairs, WrappersMP.PREDICT_NOISE: before_call}
    return install(steered(model), KEY, wrappers)


def pairs_of(conds: Any) -> PairedPrompts | None:
    """The first stacked prompts among all lists of a guider, None if there are none."""
    return next((pair for _, _, pair in annotated(conds, PairedPrompts)), None)


def run_pairs(
    executor: Any, guider: Any, sigmas: Tensor, extra_args: dict, callback: Any, noise: Tensor, latent_image: Any,
    denoise_mask: Any, *more: Any,
) -> Any:  # fmt: skip
    """SAMPLER_SAMPLE wrapper: one run of stacked prompts, with one noise for a source and its targets."""
    pairs = pairs_of(guider.conds)
    if pairs is None or len(sigmas) < 2:
        return executor(guider, sigmas, extra_args, callback, noise, latent_image, denoise_mask, *more)
    sampler, run, seed = executor.class_obj, PairRun(pairs), extra_args.get("seed")
    support = SamplerSupport(sampler, guider, sigmas, noise, seed is not None)
    _check_rows(pairs, noise)
    if pairs.replay is not None or pairs.blend is not None:
        _check_reach(support, denoise_mask)
    if pairs.replay is not None:
        _check_schedule(pairs.replay, sigmas)
    extra_args["model_options"]["transformer_options"][PAIRS] = run
    kind = support.pair_noise()
    shared = kind and SharedNoise(kind, noise, pairs.edit.size, sigmas, seed)
    with with_options(sampler, {"noise_sampler": shared} if shared else {}):
        samples = executor(guider, sigmas, extra_args, callback, noise, latent_image, denoise_mask, *more)
    return run.finish(samples, float(sigmas[-1]))


def before_call(executor: Any, x: Tensor, timestep: Tensor, model_options: dict | None = None, seed: Any = None) -> Any:
    """PREDICT_NOISE wrapper: bring the sampler's latent into order, in place, before the model sees it."""
    options = model_options if model_options is not None else {}
    run = options.get("transformer_options", {}).get(PAIRS)
    if run is not None:
        sigma = float(timestep.max())
        options["transformer_options"][RUN].predictions += 1
        run.prepare(x, sigma, *options["transformer_options"][RUN].place(sigma))
    return executor(x, timestep, options, seed)


def _check_rows(pairs: PairedPrompts, noise: Tensor) -> None:
    """Raise HRVError unless the rows of the run are pairs, each from one noise."""
    rows, size = noise.shape[0], pairs.edit.size
    if rows % size:
        raise HRVError(
            f"An edit draws its source and targets together, {size} images a pair, but the latent of this sampler holds"
            f" {rows}. Connect the LATENT output of the editing node to the sampler; it holds an image for each of"
            " them."
        )
    if pairs.replay is None and not torch.equal(noise, noise[::size].repeat_interleave(size, dim=0)):
        raise HRVError(
            "The source and the target of this edit start from different noise, so that they would be two unlike"
            " images. Connect the LATENT output of the editing node to the sampler, in place of a batch of images; if"
            " it is connected, take off what draws another noise for each image of a batch (random seeds a batch)."
        )


def _check_schedule(replay: Trajectory, sigmas: Tensor) -> None:
    """Raise HRVError unless the inversion passed every noise level of the run."""
    missing = [float(sigma) for sigma in sigmas if replay.at(float(sigma)) is None]
    if missing:
        raise HRVError(
            f"The sampler visits the noise level {missing[0]:.3f}, which the inversion over"
            f" {len(replay.sigmas) - 1} steps up to {replay.sigmas[-1]:.3f} did not. Use the steps and the scheduler of"
            " HRV DDIM Invert, and denoise 1."
        )


def _check_reach(support: SamplerSupport, denoise_mask: Any) -> None:
    """Raise HRVError where changes of the latent do not reach the sampler."""
    if support.own_latent() is None:
        raise HRVError(
            f"The sampler {support.name} does not show the model its own latent in every step, so a real source cannot"
            " be replayed and targets cannot be blended. Use euler, ddim, dpmpp_2m, heun or another."
        )
    if denoise_mask is not None:
        raise HRVError(
            "A noise mask (inpainting) keeps the latent from being replayed or blended. Take the mask away, or leave"
            " blend_words empty and edit a generated image."
        )
