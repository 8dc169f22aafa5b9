"""Why votes and effect disagree: what heads look at and write, beside what they do, and orders made of either."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np

from hrv_engine.relevance.relevance import HeadRelevance

from ..effect.tables import row_of
from ..effect.worlds import WORLDS, vectors
from ..workers import results
from .sentences import samples

WORDS = 3  # of a concept
TRIED = 10  # heads that are weakened to try an order on single predictions
VOTES = ("alone", "in sentences")  # how the words of these votes were encoded
LOOKS = ("word", "text", "end tokens", "written")


def reasons(known: list[str], executor: ProcessPoolExecutor, world: str) -> dict[str, Any]:
    """{concept: {routes, in double blocks, correlations, gone}}, each {name: figures}, see the tasks; and attention.

    attention: the heads in order of how much the image attends to the word through them.
    """
    concepts = [sample.concept for sample in samples(world, tuple(known), WORDS)]
    given = [(world, tuple(known), WORDS, number) for number in range(len(concepts))]
    routes = results(executor, "dit.routes", given, "routes")
    looked = results(executor, "dit.looks", given, "looks")
    looks = looks_by_concept(concepts, WORLDS[world].concepts.names, looked)
    votes = {name: row_of(vectors(world, "votes"), name) for name in known}
    effect = vectors(world, "effect")
    double = sum(site.heads for site in effect.layout.sites if site.key[0] == "double")  # which come first
    tried = {name: orders(votes[name], effect, name, looks[name], double) for name in known}
    tasks = [(*task, tried[concept], TRIED) for task, concept in zip(given, concepts, strict=True)]
    gone = results(executor, "dit.tried", tasks, "orders tried")
    found = {}
    for concept in known:
        own, signed = [number for number, name in enumerate(concepts) if name == concept], row_of(effect, concept)
        sizes = {"effect": np.abs(signed), "votes": votes[concept], "written": looks[concept]["written"]}
        found[concept] = {
            "routes": _means([level for number in own for level in routes[number]]),
            "in double blocks": {name: float(size[:double].sum() / size.sum()) for name, size in sizes.items()},
            "correlations": correlations(votes[concept], signed, looks[concept], double),
            "gone": _means([gone[number] for number in own]),
            "attention": tried[concept]["attention on the word"],
        }
    return found


def _means(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def looks_by_concept(
    concepts: Sequence[str], every: Sequence[str], looked: Sequence[dict[str, Any]]
) -> dict[str, dict[str, np.ndarray]]:
    """{concept: {quantity: [heads]}}: means over a concept's own samples; of votes the concept's over all samples.

    concepts: of each sample; every: the names of the concepts that were voted for.
    """
    votes = {name: np.sum([looks[name] for looks in looked], axis=0) for name in VOTES}
    found = {}
    for concept in dict.fromkeys(concepts):
        own = [looks for name, looks in zip(concepts, looked, strict=True) if name == concept]
        found[concept] = {name: np.mean([looks[name] for looks in own], axis=0) for name in LOOKS}
        found[concept] |= {name: rows[every.index(concept)] for name, rows in votes.items()}
    return found


def orders(
    votes: np.ndarray, effect: HeadRelevance, concept: str, looks: Mapping[str, np.ndarray], double: int
) -> dict[str, Any]:
    """{name: heads in order} of all that is tried for a concept; double: how many heads are in double blocks."""
    first = np.arange(len(votes)) < double
    by = {
        "votes": votes,
        "votes least": -votes,
        "few votes, words alone": looks["alone"],
        "few votes, words in sentences": looks["in sentences"],
        "votes, double blocks": np.where(first, votes, votes.min() - 1),
        "votes, single blocks": np.where(first, votes.min() - 1, votes),
        "attention on the word": looks["word"],
        "attention on all text": looks["text"],
        "written from the word": looks["written"],
    }
    found = {name: np.argsort(-values, kind="stable") for name, values in by.items()}
    found["effect"] = effect.order(concept)
    found["effect, first head alone"] = found["effect"][:1]
    found["effect least"] = effect.order(concept, "LeRHF")
    for seed in range(1, 6):
        found[f"random {seed}"] = np.random.default_rng(seed).permutation(len(votes))
    return {name: order.tolist() for name, order in found.items()}


def correlations(
    votes: np.ndarray, effect: np.ndarray, looks: Mapping[str, np.ndarray], double: int
) -> dict[str, list[float]]:
    """{quantity: rank correlation with the effect, over all heads and over those of double blocks alone}."""
    quantities = {"votes": votes, **{name: looks[name] for name in (*VOTES, *LOOKS)}}
    return {
        name: [rank_correlation(values, effect), rank_correlation(values[:double], effect[:double])]
        for name, values in quantities.items()
    }


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's, ties by their mean rank."""
    return float(np.corrcoef(_ranks(a), _ranks(b))[0, 1])


def _ranks(values: np.ndarray) -> np.ndarray:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[place]
