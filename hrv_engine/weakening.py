"""Ordered weakening: weaken the first k heads of an order and see how soon the concept goes (section 4)."""

from dataclasses import dataclass

import numpy as np

from .errors import HRVError
from .relevance import ORDERS, HeadRelevance

RANDOM = "random"
WEAKENING_ORDERS = (*ORDERS, RANDOM)


def head_order(relevance: HeadRelevance, concept: str, order: str, seed: int = 0) -> np.ndarray:
    """Head indices int64 [heads] in MoRHF, LeRHF or a random order; raises HRVError for any other name."""
    if order == RANDOM:
        return np.random.default_rng(seed).permutation(relevance.layout.total)
    if order not in ORDERS:
        raise HRVError(f'The order "{order}" is unknown. Legal: {", ".join(WEAKENING_ORDERS)}.')
    return relevance.order(concept, order)


def weaken(
    relevance: HeadRelevance, concept: str, order: str, heads: int, factor: float = -2.0, seed: int = 0
) -> np.ndarray:
    """r_h = factor for the first `heads` heads of the order, 1 for the others; float32 [heads] (section 4.1).

    Raises HRVError when there are fewer heads than asked for.
    """
    total = relevance.layout.total
    if not 0 <= heads <= total:
        raise HRVError(
            f"{heads} heads cannot be weakened: this model has H = {total} cross-attention heads. Use 0 to {total}."
        )
    factors: np.ndarray = np.ones(total, np.float32)
    factors[head_order(relevance, concept, order, seed)[:heads]] = factor
    return factors


@dataclass(frozen=True)
class WeakeningCurve:
    """A score (higher = the concept is there) against the number of weakened heads k.

    heads: int [points], ascending; scores: float [points].
    """

    heads: tuple[int, ...]
    scores: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.heads) < 2 or len(self.heads) != len(self.scores):
            raise HRVError(
                f"A weakening curve needs at least two points with a score each, not {len(self.heads)} points and "
                f"{len(self.scores)} scores. Score more values of k."
            )
        if list(self.heads) != sorted(set(self.heads)):
            raise HRVError(f"The head counts {list(self.heads)} must rise. Sort them and leave repeats out.")


def area_between(less: WeakeningCurve, more: WeakeningCurve, total: int) -> float:
    """The area of LeRHF minus MoRHF, trapezoids over k / H (Table 6): positive when the relevant heads matter more."""
    if less.heads != more.heads:
        raise HRVError(
            f"The curves were scored at different k: {list(less.heads)} and {list(more.heads)}. Score both at the same."
        )
    k = np.asarray(less.heads, float) / total
    gap = np.asarray(less.scores) - np.asarray(more.scores)
    return float(((gap[1:] + gap[:-1]) / 2 * np.diff(k)).sum())
