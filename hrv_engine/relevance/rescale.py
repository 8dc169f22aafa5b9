"""Concept strengthening and adjusting: HRVs become one rescale factor r_h a head (section 5)."""

from dataclasses import dataclass

import numpy as np

from ..errors import HRVError
from ..text.lists import listed
from .relevance import HeadRelevance


@dataclass(frozen=True)
class HeadScale:
    """Multiply the map columns of some tokens by r_h, in the window [start, end] of the sampling (0 to 1).

    columns: token columns of the context; factors: float32 [heads], or [images heads] for a batch whose images differ.
    """

    columns: tuple[int, ...]
    factors: np.ndarray
    start: float = 0.0
    end: float = 1.0

    @property
    def neutral(self) -> bool:
        """True when nothing would change: no column, an empty window or r = 1 everywhere."""
        return not self.columns or self.start >= self.end or bool((self.factors == 1).all())


def strengthen(relevance: HeadRelevance, concept: str, clamp: float | None = None) -> np.ndarray:
    """r_h = HRV_concept[h], float32 [heads]; `concept` may name several, comma-separated: their mean.

    clamp: the largest element; None for the usual one of these vectors (`HeadRelevance.usual_clamp`).
    """
    clamped = relevance.clamped(relevance.usual_clamp if clamp is None else clamp)
    rows = [clamped.row(name) for name in concept_list(concept)]
    return np.mean(rows, axis=0, dtype=np.float32)


def adjust(
    relevance: HeadRelevance,
    desired: str,
    undesired: str,
    desired_weight: float = 2.0,
    undesired_weight: float = 1.0,
    clamp: float | None = None,
) -> np.ndarray:
    """r_h = 2 HRV_desired[h] - 1 HRV_undesired[h], float32 [heads]; negative factors are intended (section 5.1)."""
    wanted, unwanted = strengthen(relevance, desired, clamp), strengthen(relevance, undesired, clamp)
    return (desired_weight * wanted - undesired_weight * unwanted).astype(np.float32)


def with_strength(factors: np.ndarray, strength: float) -> np.ndarray:
    """1 + strength (r - 1): 0 leaves the map untouched, 1 is the paper's r to the bit, more than 1 goes beyond it."""
    return ((1.0 - strength) + strength * factors).astype(np.float32)


def concept_share(relevance: HeadRelevance, concept: str) -> np.ndarray:
    """How far each head belongs to a concept, 0 to 1, float32 [heads]: its relevance, of which 1, the mean, is all.

    concept: may name several, comma-separated: the largest counts. Raises HRVError for one that is unknown.
    """
    return np.minimum(np.max([relevance.row(name) for name in concept_list(concept)], axis=0), np.float32(1))


def check_window(start: float, end: float) -> None:
    """Raise HRVError unless 0 <= start <= end <= 1."""
    if not 0.0 <= start <= end <= 1.0:
        raise HRVError(
            f"The window from {start} to {end} runs backwards. start_percent must not be larger than end_percent (both"
            " 0 to 1)."
        )


def concept_list(text: str) -> list[str]:
    """Comma-separated concept names; raises HRVError when there is none."""
    names = listed(text)
    if not names:
        raise HRVError(f'No concept in "{text}". Give the name of a concept, or several separated by commas.')
    return names


def chosen_concepts(relevance: HeadRelevance, text: str) -> list[str]:
    """The concepts a comma-separated text names, each once, as the file spells them; empty: all that won a vote.

    Raises HRVError for an unknown concept, one without votes, or a file in which none has votes.
    """
    if not text.strip() and not relevance.voted:
        raise HRVError(f"None of the concepts {', '.join(relevance.concepts.names)} won a vote: build on more prompts.")
    names = concept_list(text) if text.strip() else relevance.voted
    for name in names:
        relevance.row(name)
    return list(dict.fromkeys(relevance.concepts.names[relevance.concepts.index(name)] for name in names))
