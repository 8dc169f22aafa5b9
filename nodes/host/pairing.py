"""A model that keeps the rows of a pair together over a run: the same noise, replayed sources, blended targets."""

from typing import Any

from comfy.patcher_extension import WrappersMP
from torch import Tensor

from .conditioning import KEY, Branches
from .noise import noise_options
from .rows import POSITIVE
from .steering import steered


def paired(model: Any) -> Any:
    """A clone of MODEL that carries out the branch edits its conditionings ask for; doing it twice changes nothing."""
    clone = steered(model)
    for kind, wrapper in ((WrappersMP.SAMPLER_SAMPLE, share_noise),):
        clone.remove_wrappers_with_key(kind, KEY)
        clone.add_wrapper_with_key(kind, KEY, wrapper)
    return clone


def branches_of(conds: Any) -> Branches | None:
    """The first stacked prompts among the positives of a guider, None if there are none."""
    positives = conds.get("positive") if isinstance(conds, dict) else conds[POSITIVE]
    return next((cond[KEY] for cond in positives or [] if isinstance(cond.get(KEY), Branches)), None)


def share_noise(
    executor: Any, guider: Any, sigmas: Tensor, extra_args: dict, callback: Any, noise: Tensor, *more: Any
) -> Any:
    """SAMPLER_SAMPLE wrapper: a sampler that draws noise of its own draws one noise for a source and its targets."""
    sampler, branches = executor.class_obj, branches_of(guider.conds)
    if branches is None:
        return executor(guider, sigmas, extra_args, callback, noise, *more)
    own = sampler.extra_options
    options = noise_options(sampler, noise, branches.edit.branches, sigmas, extra_args.get("seed"))
    sampler.extra_options = {**own, **options}
    try:
        return executor(guider, sigmas, extra_args, callback, noise, *more)
    finally:
        sampler.extra_options = own
