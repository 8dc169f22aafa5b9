"""The other way round: which concepts a head carries, and short names for them."""

import re
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import numpy as np

from ..errors import HRVError
from ..relevance.relevance import HeadRelevance


def concepts_of_heads(relevance: HeadRelevance, heads: list[int], count: int | None = None) -> list[dict[str, Any]]:
    """The concepts of each head by falling relevance: head, label, concept, relevance, rank (from 1), vote_share.

    vote_share is the part of the head's own votes that the concept won, "" without votes. `count` keeps the first
    ranks only; ties keep the row order. Raises HRVError for a head that does not exist.
    """
    shares = vote_shares(relevance)
    rows = []
    for head in heads:
        label, elements = relevance.layout.label(head), relevance.values[:, head]
        for rank, row in enumerate(np.argsort(-elements, kind="stable")[:count], start=1):
            rows.append(
                {
                    "head": head,
                    "label": label,
                    "concept": relevance.concepts.names[row],
                    "relevance": float(elements[row]),
                    "rank": rank,
                    "vote_share": "" if shares is None else float(shares[row, head]),
                }
            )
    return rows


def vote_shares(relevance: HeadRelevance) -> np.ndarray | None:
    """The part of each head's votes that each concept won, float64 [concepts heads]; None without votes.

    A head that never voted has zeros.
    """
    if relevance.votes is None:
        return None
    counts = relevance.votes.counts
    return counts / np.maximum(counts.sum(axis=0), 1)


def head_concepts_text(rows: list[dict[str, Any]]) -> str:
    """The rows of `concepts_of_heads` as one line a head."""
    lines: dict[str, list[str]] = {}
    for row in rows:
        share = "" if row["vote_share"] == "" else f", {row['vote_share']:.0%} of its votes"
        lines.setdefault(f"head {row['head']} = {row['label']}", []).append(
            f"{row['concept']} ({row['relevance']:.2f}{share})"
        )
    return "\n".join(f"{head}: {'; '.join(concepts)}" for head, concepts in lines.items())


def abbreviations(names: tuple[str, ...]) -> dict[str, str]:
    """Three letters for each name, no two alike: Col for Color, FrV for Fruits and Vegetables."""
    short: dict[str, str] = {}
    for name in names:
        taken = {each.casefold() for each in short.values()}
        short[name] = next(each for each in _candidates(name) if each.casefold() not in taken)
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
    """Raise HRVError when no concept won a vote, so that no head has a role."""
    if not relevance.voted:
        raise HRVError("No concept of this HRV won a vote, so no head has a role. Build on more prompts.")
