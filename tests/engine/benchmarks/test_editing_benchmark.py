"""Editing benchmarks: the paper's 225 pairs, and pairs in the pocket model's own words that its scorer can read."""

from __future__ import annotations

import pytest

from hrv_engine.benchmarks.editing import load_editing, spread
from hrv_engine.errors import HRVError
from hrv_engine.paths import PRESETS
from hrv_engine.pocket.captions import vocabulary
from hrv_engine.pocket.scorer import readable
from hrv_engine.relevance.concepts import ConceptSet

PAPER = load_editing(PRESETS / "benchmarks" / "editing.yaml")
POCKET = load_editing(PRESETS / "benchmarks" / "pocket_editing.yaml")


def test_the_paper_has_fifty_pairs_a_target_and_twentyfive_for_weather():
    assert {concept: len(pairs) for concept, pairs in PAPER.items()} == {
        "Color": 50, "Geometric Patterns": 50, "Material": 50, "Image Style": 50, "Weather Conditions": 25
    }  # fmt: skip
    names = ConceptSet.load(PRESETS / "concepts" / "paper34.yaml").names
    assert set(PAPER) <= set(names)
    assert ("a blue ballon", "a brown ballon") in [(pair.source, pair.target) for pair in PAPER["Color"]]


@pytest.mark.parametrize("pairs", [*PAPER.values(), *POCKET.values()])
def test_a_pair_differs_in_exactly_one_word(pairs):
    for pair in pairs:
        words = zip(pair.source.split(), pair.target.split(), strict=True)
        assert [(a, b) for a, b in words if a != b] == [(pair.source_word, pair.edited_word)]


@pytest.mark.parametrize("concept", POCKET)
def test_the_pocket_models_pairs_are_in_its_own_words_and_can_be_read(concept):
    known = set(vocabulary())
    assert concept in ConceptSet.load(PRESETS / "concepts" / "pocket.yaml").names
    for pair in POCKET[concept]:
        assert set(pair.source.split()) <= known and set(pair.target.split()) <= known
        assert readable(pair.source_word)[0] == readable(pair.edited_word)[0]


@pytest.mark.parametrize("pairs", [*PAPER.values(), *POCKET.values()])
def test_a_few_pairs_vary_in_words_and_objects(pairs):
    few = spread(pairs, 10)
    assert len(set(few)) == 10
    assert len({pair.edited_word for pair in few}) >= 3
    assert len({pair.source.replace(pair.source_word, "") for pair in few}) == (1 if pairs is POCKET["Color"] else 5)
    assert spread(pairs, 1000) == pairs
    for count in range(1, len(pairs)):
        assert len(set(spread(pairs, count))) == count


@pytest.mark.parametrize(
    "text",
    [
        "edits: {Color: {pairs: [[a, b]]}}",
        "edits: 3",
        "- a",
        "edits: {Color: {template: x, objects: [a], pairs: [[a, b]]}}",
    ],
)
def test_a_broken_file_is_named_with_what_it_needs(tmp_path, text):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(HRVError, match="mine.yaml.*edits.*template.*pairs"):
        load_editing(path)
