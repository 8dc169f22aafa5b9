"""A model that keeps the rows of a pair together over a run: the same noise, replayed sources, blended targets."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from comfy.patcher_extension import WrappersMP
from torch import Tensor

from ...hrv_engine.editing.ddim_inversion import Trajectory
from ...hrv_engine.errors import HRVError
from .conditioning import KEY, PairedPrompts
from .control import install
from .noise import noise_options, sampler_name
from .pair_run import PAIRS, PairRun
from .steering import steered
from .steps import step_of

COPIES_STATE = ("unipc",)  # parts of names of samplers whose latent the model never sees itself


def paired(model: Any) -> Any:
    """A clone of MODEL that carries out the branch edits its conditionings ask for; doing it twice changes nothing."""
    wrappers: dict[str, Any] = {WrappersMP.SAMPLER_SAMPLE: run_pairs, WrappersMP.PREDICT_NOISE: before_call}
    return install(steered(model), KEY, wrappers)


def pairs_of(conds: Any) -> PairedPrompts | None:
    """The first stacked prompts among the positives of a guider, None if there are none."""
    return next((cond[KEY] for cond in conds.get("positive") or [] if isinstance(cond.get(KEY), PairedPrompts)), None)


def run_pairs(
    executor: Any, guider: Any, sigmas: Tensor, extra_args: dict, callback: Any, noise: Tensor, latent_image: Any,
    denoise_mask: Any, *more: Any,
) -> Any:  # fmt: skip
    """SAMPLER_SAMPLE wrapper: one run of stacked prompts, with one noise for a source and its targets."""
    pairs = pairs_of(guider.conds)
    if pairs is None:
        return executor(guider, sigmas, extra_args, callback, noise, latent_image, denoise_mask, *more)
    sampler, run = executor.class_obj, PairRun(pairs)
    if pairs.replay is not None or pairs.blend is not None:
        _check_reach(sampler_name(sampler), denoise_mask)
    if pairs.replay is not None:
        _check_schedule(pairs.replay, sigmas)
    extra_args["model_options"]["transformer_options"][PAIRS] = run
    options = noise_options(sampler, noise, pairs.edit.size, sigmas, extra_args.get("seed"))
    with _with_options(sampler, options):
        samples = executor(guider, sigmas, extra_args, callback, noise, latent_image, denoise_mask, *more)
    return run.finish(samples, float(sigmas[-1]))


def before_call(executor: Any, x: Tensor, timestep: Tensor, model_options: dict | None = None, seed: Any = None) -> Any:
    """PREDICT_NOISE wrapper: bring the sampler's latent into order, in place, before the model sees it."""
    options = model_options if model_options is not None else {}
    run = options.get("transformer_options", {}).get(PAIRS)
    if run is not None:
        sigma, sigmas = float(timestep.max()), options["transformer_options"]["sample_sigmas"].tolist()
        run.prepare(x, sigma, step_of(sigmas, sigma), len(sigmas) - 1)
    return executor(x, timestep, options, seed)


@contextmanager
def _with_options(sampler: Any, options: dict[str, Any]) -> Iterator[None]:
    own = sampler.extra_options
    sampler.extra_options = {**own, **options}
    try:
        yield
    finally:
        sampler.extra_options = own


def _check_schedule(replay: Trajectory, sigmas: Tensor) -> None:
    """Raise HRVError unless the inversion passed every noise level of the run."""
    missing = [float(sigma) for sigma in sigmas if replay.at(float(sigma)) is None]
    if missing:
        raise HRVError(
            f"The sampler visits the noise level {missing[0]:.3f}, which the inversion over"
            f" {len(replay.sigmas) - 1} steps up to {replay.sigmas[-1]:.3f} did not. Use the steps and the scheduler of"
            " HRV DDIM Invert, and denoise 1."
        )


def _check_reach(name: str, denoise_mask: Any) -> None:
    """Raise HRVError where changes of the latent do not reach the sampler."""
    if any(part in name for part in COPIES_STATE):
        raise HRVError(
            f'The sampler "{name}" keeps its latent to itself, so a real source cannot be replayed and targets cannot'
            " be blended. Use euler, ddim, dpmpp_2m, heun or another."
        )
    if denoise_mask is not None:
        raise HRVError(
            "A noise mask (inpainting) keeps the latent from being replayed or blended. Take the mask away, or leave"
            " blend_words empty and edit a generated image."
        )
