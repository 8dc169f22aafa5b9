"""The steps of a run, and which of them a model call belongs to: the one place where steps are counted."""

from typing import Any

import comfy.samplers
from torch import Tensor

from ...hrv_engine.relevance.build_settings import DrawingSettings

CLOSE = 1e-6  # relative: noise levels nearer than this are the same


def step_of(sigmas: Tensor | list[float], sigma: float) -> int:
    """The step, from 0, of a noise level in a schedule of falling sigmas; levels in between count as the next step."""
    levels = sigmas.tolist() if isinstance(sigmas, Tensor) else sigmas
    return min(sum(level > sigma * (1 + CLOSE) for level in levels), len(levels) - 2)


def in_window(model_sampling: Any, sigma: float, start: float, end: float) -> bool:
    """Whether a noise level lies in the window [start, end] of the sampling (0 to 1)."""
    return model_sampling.percent_to_sigma(end) <= sigma <= model_sampling.percent_to_sigma(start)


def sigmas_of(model: Any, settings: DrawingSettings) -> Tensor:
    """The noise levels of a whole run; ddim_uniform may give one step more than asked for, as 30 do not divide 1000."""
    asked = {"sampler": settings.sampler_name, "scheduler": settings.scheduler, "model_options": model.model_options}
    return comfy.samplers.KSampler(model, steps=settings.steps, device=model.load_device, **asked).sigmas
