"""Ordered weakening: weaken the first k heads of an order and see how soon the concept disappears (section 4)."""

import re
from dataclasses import dataclass

import numpy as np

from ..errors import HRVError
from ..relevance.relevance import ORDERS, HeadRelevance
from ..text.lists import listed
from ..text.whole_numbers import MOST_SEED, whole_number

RANDOM, REVERSED = "random", "random reversed"
PAPER_GRID = "paper"
WEAKENING_ORDERS = (*ORDERS, RANDOM, REVERSED)


def head_order(relevance: HeadRelevance, concept: str, order: str, seed: int = 0) -> np.ndarray:
    """Head indices int64 [heads] in MoRHF, LeRHF, a random order or its reverse; HRVError for any other name."""
    if order in (RANDOM, REVERSED):
        shuffled = np.random.default_rng(seed).permutation(relevance.layout.total)
        return shuffled if order == RANDOM else shuffled[::-1].copy()
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


def paper_grid(total: int) -> list[int]:
    """The paper's numbers of weakened heads: 0, 1, 11, ..., H for a model like SD1.x, 0, 11, 111, ..., H for SDXL."""
    first, step = (1, 10) if total < 200 else (11, 100)
    return [0, *range(first, total, step), total]


def parse_grid(text: str, total: int) -> list[int]:
    """Numbers of weakened heads from "0, 1, 11" or "paper", rising and each once; raises HRVError."""
    if text.strip().casefold() == PAPER_GRID:
        return paper_grid(total)
    parts = listed(text)
    if not parts or not all(part.isdecimal() for part in parts):
        raise HRVError(
            f'"{text}" is no list of head counts. Give whole numbers separated by commas, e.g. "0, 1, 11, 21", or'
            f' "{PAPER_GRID}".'
        )
    counts = {part: whole_number(part, total) for part in parts}
    for part, count in counts.items():
        if count is None:
            raise HRVError(
                f"{part[:60]} heads cannot be weakened: this model has H = {total} cross-attention heads. Use 0 to"
                f" {total}."
            )
    return sorted({count for count in counts.values() if count is not None})


def parse_orders(text: str) -> list[tuple[str, int]]:
    """Orders with seeds from "MoRHF, LeRHF, random:3, random:3:reversed" (random alone: seed 0); raises HRVError."""
    known = {order.casefold(): order for order in ORDERS}
    orders = []
    for part in listed(text):
        match = re.fullmatch(r"random\s*(?::\s*(\d+))?\s*(:\s*reversed)?", part, re.IGNORECASE)
        seed = whole_number(match[1] or "0") if match else None
        if match and seed is not None:
            orders.append((REVERSED if match[2] else RANDOM, seed))
        elif part.casefold() in known:
            orders.append((known[part.casefold()], 0))
        else:
            raise HRVError(
                f'The order "{part[:60]}" is unknown. Legal: {", ".join(ORDERS)}, {RANDOM}, {RANDOM}:1, {RANDOM}:2,'
                f" ..., {RANDOM}:1:reversed, ..., with seeds from 0 to {MOST_SEED}."
            )
    if not orders:
        raise HRVError(f'No order in "{text}". Legal: {", ".join(ORDERS)}, {RANDOM}:1, separated by commas.')
    return orders


def order_label(order: str, seed: int) -> str:
    """What a row or a curve is called: MoRHF, LeRHF, random 3, random 3 reversed."""
    return order if order in ORDERS else f"{RANDOM} {seed}{order.removeprefix(RANDOM)}"


def parse_factors(text: str) -> list[float]:
    """Factors of weakened maps from "-2, -1, 0" in the order given, each once; raises HRVError (appendix C.4)."""
    parts = listed(text)
    try:
        factors = [float(part) for part in parts]
    except ValueError:
        factors = []
    if not factors or not all(-10 <= factor <= 10 for factor in factors):
        raise HRVError(
            f'"{text}" is no list of factors. Give numbers from -10 to 10 separated by commas: "-2" as in the paper, or'
            ' "-2, -1, 0, 1" (1 changes nothing, below 0 is effective).'
        )
    return list(dict.fromkeys(factors))


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
