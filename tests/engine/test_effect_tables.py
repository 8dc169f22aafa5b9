"""The tables of `make figures-effect`: areas, rates and agreement as they are defined, on numbers made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from comfyui_hrv.tools.figures.effect.tables import (
    agreement,
    areas,
    few_words,
    passes_of_effect,
    passes_of_votes,
    rates,
    summary,
)
from hrv_engine.attention.heads import AttentionSite, HeadLayout
from hrv_engine.pocket.drawings.reading import near
from hrv_engine.relevance.build_settings import BuildSettings, EffectSettings
from hrv_engine.relevance.concepts import Concept, ConceptSet
from hrv_engine.relevance.effect import HeadEffects
from hrv_engine.relevance.parts import Part

COUNTS = [0, 4, 16, 64]


def rows(order: str, scores: list[float], kept: float = 1.0) -> list[dict]:
    return [
        {"how": "h", "concept": "Color", "order": order, "heads": count, "score": score, "kept": kept}
        for count, score in zip(COUNTS, scores, strict=True)
    ]


def test_an_order_that_changes_nothing_has_no_area_and_one_that_takes_all_at_once_nearly_the_whole():
    table = areas(
        [
            *rows("votes", [0.8, 0.8, 0.8, 0.8]),
            *rows("effect", [0.8, 0.0, 0.0, 0.0], kept=0.5),
            *rows("random 1", [0.8, 0.4, 0.4, 0.4]),
        ]
    )["h"]["Color"]
    assert table["plain"] == 0.8 and table["area"]["votes"] == pytest.approx(0)
    first = np.log1p(4) / np.log1p(64)
    assert table["area"]["effect"] == pytest.approx(1 - first / 2)
    assert table["random"] == pytest.approx([0.5 * (1 - first / 2)])
    assert table["beside"]["effect"] == pytest.approx(0), "the word beside fell with nothing"


def test_a_word_beside_that_the_plain_images_do_not_show_has_no_area():
    table = areas([*rows("votes", [0.8] * 4, kept=0.001), *rows("random 1", [0.8] * 4, kept=0.001)])["h"]["Color"]
    assert np.isnan(table["beside"]["votes"]) and table["area"]["votes"] == pytest.approx(0)


def test_the_summary_counts_concepts():
    table = {
        "a": {"area": {"votes": 0.2, "effect": 0.5}, "random": [0.1, 0.4]},
        "b": {"area": {"votes": 0.6, "effect": 0.5}, "random": [0.1, 0.55]},
    }
    found = summary(table)
    assert found["concepts"] == 2 and found["effect at least votes"] == 1
    assert found["effect beats all random"] == 1 and found["votes beat all random"] == 1


def test_rates_are_shares_with_intervals_that_hold_them():
    one = {"setting": "s", "images": 8, "right": 8, "thing": 0, "noun": 4, "color": 8}
    found = rates([one, {**one, "right": 0}])["s"]
    low, high = found["interval"]
    assert found["images"] == 16 and found["right"] == 0.5 and found["noun"] == 0.5
    assert 0.2 < low < 0.5 < high < 0.8
    assert rates([one])["s"]["interval"][1] == pytest.approx(1)


def test_agreement_of_vectors_with_themselves_is_whole_and_few_words_come_near_with_their_number():
    concepts = ConceptSet("one", (Concept("Color", tuple("abcdefgh")),))
    layout = HeadLayout((AttentionSite(("input", 1, 0), 40, 8),))
    values = np.random.default_rng(0).normal(size=40) + np.random.default_rng(1).normal(size=(8, 40))
    effects = HeadEffects.none(concepts, layout, {}).with_samples(list(range(8)), values, (Part("p", "d", 0, 0, 8),))
    relevance = effects.relevance()
    assert agreement(relevance, relevance)["Color"] == {"cosine": pytest.approx(1), "top": 10}
    found = few_words(relevance)["Color"]
    assert list(found) == [1, 2, 4] and found[1] < found[2] < found[4] < 1


def test_passes_are_counted_from_the_settings():
    assert passes_of_votes(BuildSettings(steps=50), 2100) == 210_000
    gradient = EffectSettings(steps=10, timesteps=3, integration=1)
    assert gradient.places(10) == [1, 3, 5]
    assert passes_of_effect(gradient, 10) == 10 * (2 * 6 + 3 * (1 + 3))
    assert passes_of_effect(EffectSettings(steps=10, integration=4), 1) == 2 * 6 + 3 * (1 + 12 + 1)


def test_near_paints_are_those_the_eye_hardly_tells_apart():
    assert "tomato" in near("coral") and "blue" not in near("coral")
    assert all(name in near(name) for name in ("orange", "olive", "chocolate"))
