"""The whole schedule that a run is a part of, so that windows in steps go on in a second KSampler (Advanced)."""

from collections.abc import Iterator
from itertools import product
from typing import Any

import comfy.samplers
from torch import Tensor

from ...hrv_engine.errors import HRVError

MOST_STEPS = 200
AMBIGUOUS = ("sgm_uniform",)  # asked for last
CLOSE = 1e-4  # relative: levels nearer than this are the same


def is_part(sigmas: list[float], noise: Tensor) -> bool:
    """Whether a run ends before the image is clean, or goes on with a latent to which no noise is added."""
    return sigmas[-1] > 0 or not bool(noise.any())


def whole_schedule(model_sampling: Any, part: list[float]) -> list[float]:
    """The schedule of one of the host's schedulers that contains `part` in a row; the shortest if there are several.

    The last level may have been set to 0 (return_with_leftover_noise off): then the schedule ends there. The first
    steps of sgm_uniform are those of normal with one step more, and are taken for these. Raises HRVError where no
    schedule contains the part: then nobody knows which step of how many the run begins with.
    """
    if _starts_at_the_top(model_sampling, part[0]) and part[-1] == 0:
        return part
    for levels in _schedules(model_sampling, len(part) - 1):
        for start in range(len(levels) - len(part) + 1):
            there = levels[start : start + len(part)]
            if all(_close(a, b) for a, b in zip(there[:-1], part[:-1], strict=True)):
                if _close(there[-1], part[-1]):
                    return levels
                if part[-1] == 0:
                    return [*levels[: start + len(part) - 1], 0.0]
    raise HRVError(
        f"This run goes from noise level {part[0]:.4g} to {part[-1]:.4g} in {len(part) - 1} steps: a part of a schedule"
        " (start_at_step, end_at_step, split sigmas) that no scheduler of the host gives, so that the windows of this"
        " edit or guidance, which are counted in steps of the whole, have no place in it. Sample in one run, or use a"
        " scheduler of KSampler in both."
    )


def _starts_at_the_top(model_sampling: Any, sigma: float) -> bool:
    return _close(sigma, float(model_sampling.sigma_max))


def _schedules(model_sampling: Any, least: int) -> Iterator[list[float]]:
    counts = range(max(least, 1), MOST_STEPS + 1)
    usual = [name for name in comfy.samplers.SCHEDULER_NAMES if name not in AMBIGUOUS]
    for steps, name in (*product(counts, usual), *product(counts, AMBIGUOUS)):
        levels = comfy.samplers.calculate_sigmas(model_sampling, name, steps).tolist()
        yield levels
        if len(levels) > 2:
            yield [*levels[:-2], levels[-1]]  # as the host gives them to samplers that drop the last but one


def _close(one: float, other: float) -> bool:
    return abs(one - other) <= CLOSE * max(abs(one), abs(other))
