"""Which step of a run a model call belongs to: the one place where steps are counted."""

from typing import Any

from torch import Tensor

CLOSE = 1e-6  # relative: noise levels nearer than this are the same


def step_of(sigmas: Tensor | list[float], sigma: float) -> int:
    """The step, from 0, of a noise level in a schedule of falling sigmas; levels in between count as the next step."""
    levels = sigmas.tolist() if isinstance(sigmas, Tensor) else sigmas
    return min(sum(level > sigma * (1 + CLOSE) for level in levels), len(levels) - 2)


def in_window(model_sampling: Any, sigma: float, start: float, end: float) -> bool:
    """Whether a noise level lies in the window [start, end] of the sampling (0 to 1)."""
    return model_sampling.percent_to_sigma(end) <= sigma <= model_sampling.percent_to_sigma(start)
