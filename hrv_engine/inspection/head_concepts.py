"""The other way round: which concepts a head carries, and short names for them."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ..errors import HRVError
from ..relevance.relevance import HeadRelevance


@dataclass(frozen=True)
class CarriedConcept:
    """A concept that a head carries: its relevance there, its rank among the head's concepts (from 1).

    head: HRV index; relevance: below 0 for a head that works against the concept (vectors by effect); vote_share: the
    part of the head's own votes that the concept won, None without votes.
    """

    head: int
    label: str
    concept: str
    relevance: float
    rank: int
    vote_share: float | None


def concepts_of_heads(relevance: HeadRelevance, heads: list[int], count: int | None = None) -> list[CarriedConcept]:
    """The concepts of each head by falling relevance, ties in row order; `count` keeps the first ranks only.

    Raises HRVError for a head that does not exist.
    """
    names, shares = relevance.concepts.names, vote_shares(relevance)
    values = relevance.values if relevance.signed is None else relevance.signed
    carried = []
    for head in heads:
        label, elements = relevance.layout.label(head), values[:, head]
        for rank, row in enumerate(np.argsort(-elements, kind="stable")[:count], start=1):
            share = None if shares is None else float(shares[row, head])
            carried.append(CarriedConcept(head, label, names[row], float(elements[row]), rank, share))
    return carried


def vote_shares(relevance: HeadRelevance) -> np.ndarray | None:
    """The part of each head's votes that each concept won, float64 [concepts heads]; None without votes.

    A head that never voted has zeros.
    """
    if relevance.votes is None:
        return None
    counts = relevance.votes.counts
    return counts / np.maximum(counts.sum(axis=0), 1)


def head_concepts_text(carried: Sequence[CarriedConcept]) -> str:
    """What `concepts_of_heads` gives as one line per head."""
    lines: dict[str, list[str]] = {}
    for concept in carried:
        share = "" if concept.vote_share is None else f", {concept.vote_share:.0%} of its votes"
        text = f"{concept.concept} ({concept.relevance:.2f}{share})"
        lines.setdefault(f"head {concept.head} = {concept.label}", []).append(text)
    return "\n".join(f"{head}: {'; '.join(concepts)}" for head, concepts in lines.items())


def abbreviations(names: tuple[str, ...]) -> dict[str, str]:
    """Three letters for each name, no two alike: Col for Color, FrV for Fruits and Vegetables."""
    short: dict[str, str] = {}
    for name in names:
        taken = {letters.casefold() for letters in short.values()}
        short[name] = next(letters for letters in _candidates(name) if letters.casefold() not in taken)
    return short


def _candidates(name: str) -> Iterator[str]:
    words = [word for word in re.split(r"[\W_]+", name) if word and word.casefold() not in ("and", "of", "the")]
    words = words or [name]
    if len(words) > 1:
        yield words[0][:2].capitalize() + words[1][0].upper()
    letters = "".join(words)
    yield letters[:3].capitalize()
    yield from (letters[0].upper() + "".join(pair).lower() for pair in combinations(letters[1:], 2))
    yield from (f"{letters[:1].upper()}{number}" for number in range(2, 10000))


def check_concepts(relevance: HeadRelevance) -> None:
    """Raise HRVError when no concept won a vote, so that no head carries one."""
    if not relevance.voted:
        raise HRVError("No concept of this HRV won a vote, so no head carries one. Build on more prompts.")
