"""Bootstrap confidence intervals of mean scores and of paired differences, through scipy."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from ..errors import HRVError

RESAMPLES = 10_000
LEAST = 2  # values that say anything about their spread


@dataclass(frozen=True)
class Interval:
    """A mean and the ends of its confidence interval, in the unit of the values."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.4f} ({self.low:.4f} to {self.high:.4f})"


def mean_interval(values: Sequence[float] | np.ndarray, seed: int = 0, confidence: float = 0.95) -> Interval:
    """The mean of independent values with its percentile bootstrap interval; the same seed gives the same interval.

    values: float [values]. Raises HRVError for fewer than two, for values that are no numbers, and for a confidence
    that is not between 0 and 1. Equal values give an interval without width.
    """
    scores = np.asarray(values, np.float64)
    if scores.ndim != 1 or scores.size < LEAST:
        raise HRVError(
            f"An interval needs {LEAST} values or more, one per image or pair, not {scores.size}. Draw more"
            " images, with other seeds or prompts."
        )
    if not np.isfinite(scores).all():
        raise HRVError(
            f"{(~np.isfinite(scores)).sum()} of {scores.size} scores are no finite numbers, so they have no mean. Leave"
            " those images out, or score them again."
        )
    if not 0 < confidence < 1:
        raise HRVError(f"The confidence is {confidence:g}; it must lie between 0 and 1, such as 0.95.")
    if np.ptp(scores) == 0:
        return Interval(float(scores[0]), float(scores[0]), float(scores[0]))
    band = stats.bootstrap(
        (scores,),
        np.mean,
        confidence_level=confidence,
        n_resamples=RESAMPLES,
        batch=max(1, 2**22 // scores.size),
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Interval(float(scores.mean()), float(band.low), float(band.high))


def paired_difference(
    a: Sequence[float] | np.ndarray, b: Sequence[float] | np.ndarray, seed: int = 0, confidence: float = 0.95
) -> Interval:
    """The mean of b - a over pairs (same prompt and seed, say) with its bootstrap interval over pairs.

    a, b: float [pairs]. Raises HRVError for unequal lengths and as `mean_interval` does.
    """
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if first.shape != second.shape:
        raise HRVError(
            f"{first.size} scores cannot be paired with {second.size}. Score the same prompts and seeds in both, in the"
            " same order."
        )
    return mean_interval(second - first, seed, confidence)
