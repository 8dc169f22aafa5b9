"""The orders of heads that are compared."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .worlds import vectors

RANDOM = 10
KINDS = ("votes", "effect", "both", "votes least", "effect least")


def order(world: str, concept: str, name: str) -> np.ndarray:
    """Head indices int64 [heads]: "votes" or "effect" and their " least", "both" (mean rank), "random 3"."""
    kind, _, which = name.partition(" ")
    if kind == "random":
        return np.random.default_rng(int(which)).permutation(vectors(world, "votes").layout.total)
    if kind == "both":
        ranks = [np.argsort(vectors(world, one).order(concept)) for one in ("votes", "effect")]
        return np.argsort(ranks[0] + ranks[1], kind="stable")
    return vectors(world, kind).order(concept, "LeRHF" if which else "MoRHF")


def names(random: int = RANDOM, kinds: Sequence[str] = KINDS) -> list[str]:
    """All of them, with so many random ones."""
    return [*kinds, *(f"random {n}" for n in range(1, random + 1))]
