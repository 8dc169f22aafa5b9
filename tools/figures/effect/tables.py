"""From rows of scores to areas with bands, rates with intervals, and agreement of vectors."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np

from hrv_engine.pocket.shares import Share
from hrv_engine.relevance.build_settings import BuildSettings, EffectSettings
from hrv_engine.relevance.relevance import HeadRelevance

TOP = 10
SHOWN = 0.05  # mean probability from which a word counts as shown


def areas(rows: Iterable[dict[str, Any]]) -> dict[str, dict[str, dict[str, Any]]]:
    """{how: {concept: figures}} of weakening rows.

    An order's area is 1 minus the mean of score / plain score under its curve, trapezoids over log(1 + k): the sooner
    a concept goes, the larger. kept: the same of the word beside it, at the orders' own curves.
    """
    curves: dict[tuple[str, str, str], dict[int, list[tuple[float, float]]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        curves[row["how"], row["concept"], row["order"]][row["heads"]].append((row["score"], row["kept"]))
    found: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
    for how, concept in dict.fromkeys(key[:2] for key in curves):
        by_order = {order: curve for (h, c, order), curve in curves.items() if (h, c) == (how, concept)}
        lost = {order: _area(curve, 0) for order, curve in by_order.items()}
        beside = {order: _area(curve, 1) for order, curve in by_order.items()}
        random = sorted(area for order, area in lost.items() if order.startswith("random"))
        first = next(iter(by_order.values()))
        found[how][concept] = {
            "plain": float(np.mean([score for score, _ in first[min(first)]])),
            "area": {order: area for order, area in lost.items() if not order.startswith("random")},
            "beside": {order: area for order, area in beside.items() if not order.startswith("random")},
            "random": random,
            "random beside": float(np.mean([area for order, area in beside.items() if order.startswith("random")])),
            "curve": {
                order: {count: round(float(np.mean(scores, axis=0)[0]), 4) for count, scores in sorted(curve.items())}
                for order, curve in by_order.items()
            },
            "prompts": len(first[min(first)]),
        }
    return found


def _area(curve: dict[int, list[tuple[float, float]]], which: int) -> float:
    counts = sorted(curve)
    means = np.array([np.mean([score[which] for score in curve[count]]) for count in counts])
    if means[0] < SHOWN:
        return float("nan")  # nothing is there to be lost
    left = means / means[0]
    place = np.log1p(counts)
    return float(1 - ((left[1:] + left[:-1]) / 2 * np.diff(place)).sum() / (place[-1] - place[0]))


def summary(table: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """For how many concepts an order is best, beats votes, and beats every random order."""
    questions = ("effect at least votes", "effect beats all random", "votes beat all random", "both at least votes")
    wins = dict.fromkeys(questions, 0)
    for one in table.values():
        area, random = one["area"], one["random"]
        wins["effect at least votes"] += area["effect"] >= area["votes"]
        wins["both at least votes"] += area.get("both", -1) >= area["votes"]
        if random:
            wins["effect beats all random"] += area["effect"] > random[-1]
            wins["votes beat all random"] += area["votes"] > random[-1]
    return {"concepts": len(table), **{name: int(count) for name, count in wins.items()}}


def rates(rows: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """{setting: {images, right, thing, noun, color as shares, interval of right (Wilson, 95 %)}}."""
    total: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in rows:
        for name in ("images", "right", "thing", "noun", "color"):
            total[row["setting"]][name] += row[name]
    found = {}
    for setting, counts in total.items():
        n = counts["images"]
        shares = {name: counts[name] / n for name in ("right", "thing", "noun", "color")}
        found[setting] = {"images": n, **shares, "interval": Share(counts["right"], n).interval}
    return found


def agreement(first: HeadRelevance, second: HeadRelevance) -> dict[str, dict[str, float]]:
    """{concept: {cosine, top: heads in common among the first TOP}} of concepts in both."""
    found = {}
    for name in first.concepts.names:
        if name in second.concepts.names and name in first.voted and name in second.voted:
            a, b = (row_of(one, name) for one in (first, second))
            shared = len(set(first.order(name)[:TOP].tolist()) & set(second.order(name)[:TOP].tolist()))
            found[name] = {"cosine": float(a @ b / np.linalg.norm(a) / np.linalg.norm(b)), "top": shared}
    return found


def row_of(relevance: HeadRelevance, name: str) -> np.ndarray:
    """A concept's elements float64 [heads], signed where they are."""
    rows = relevance.values if relevance.signed is None else relevance.signed
    return rows[relevance.concepts.index(name)].astype(np.float64)


def few_words(relevance: HeadRelevance, draws: int = 40) -> dict[str, dict[int, float]]:
    """{concept: {words: mean cosine of the vector of so many random words to that of all}}; the draw is part of all."""
    effects, found = relevance.effects, dict[str, dict[int, float]]()
    assert effects is not None
    generator = np.random.default_rng(0)
    for name, rows in zip(effects.concepts.names, effects.rows, strict=True):
        words = effects.word_means[rows][effects.samples[rows] > 0]
        whole = words.mean(axis=0)
        found[name] = {}
        for count in (1, 2, 4, 8):
            if count < len(words):
                picked = [words[generator.permutation(len(words))[:count]].mean(axis=0) for _ in range(draws)]
                cosines = [one @ whole / (np.linalg.norm(one) * np.linalg.norm(whole) + 1e-12) for one in picked]
                found[name][count] = float(np.mean(cosines))
    return found


def passes_of_votes(settings: BuildSettings, images: int) -> int:
    """Rows through the model: two a step and image."""
    return 2 * settings.steps * images


def passes_of_effect(settings: EffectSettings, samples: int) -> int:
    """The same for a build by effect, a backward pass as two."""
    places = settings.places(settings.steps)
    a_level = 1 + 3 * settings.integration + (settings.integration > 1)
    return samples * (2 * (places[-1] + 1) + len(places) * a_level)


def oracle_table(world: str, rows: Iterable[tuple[str, list[float]]]) -> dict[str, dict[str, float]]:
    """{concept: {votes, effect}}: correlation of each kind's elements with what every head takes away alone."""
    from .worlds import vectors

    drops: dict[str, list[list[float]]] = defaultdict(list)
    for concept, drop in rows:
        drops[concept].append(drop)
    found = {}
    for concept, several in drops.items():
        mean = np.mean(several, axis=0)
        found[concept] = {
            kind: float(np.corrcoef(row_of(vectors(world, kind), concept), mean)[0, 1]) for kind in ("votes", "effect")
        }
    return found
