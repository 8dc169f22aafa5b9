"""Benchmarks of several objects: the paper's 216 prompts, and prompts of the pocket model."""

from __future__ import annotations

import pytest

from hrv_engine.benchmarks.several_objects import MultiPrompt, load_multi
from hrv_engine.errors import HRVError
from hrv_engine.paths import PRESETS
from hrv_engine.pocket.captions import vocabulary
from hrv_engine.pocket.scenes import PLAIN_COLORS, POLYSEMOUS, kind_of
from hrv_engine.relevance.concepts import ConceptSet

PAPER = load_multi(PRESETS / "benchmarks" / "multi_concept.yaml")
POCKET = load_multi(PRESETS / "benchmarks" / "pocket_multi.yaml")
ANIMALS = {"cat", "dog", "bird", "bear", "lion", "horse", "deer", "fox", "frog", "fish", "penguin", "squirrel"}
COLOURS = {"red", "blue", "green", "yellow", "black", "white", "purple", "gray", "pink", "brown"}


def test_the_paper_has_every_pair_of_twelve_animals_and_150_pairs_of_coloured_ones():
    first, second = PAPER["two objects"], PAPER["two coloured objects"]
    assert (len(first), len(second)) == (66, 150)
    assert len({frozenset(prompt.nouns) for prompt in first}) == 66
    assert {noun for prompt in first for noun in prompt.nouns} == ANIMALS
    assert len({prompt.text for prompt in second}) == 150
    for prompt in second:
        assert set(prompt.nouns) <= ANIMALS and set(prompt.modifiers) <= COLOURS
        assert len(set(prompt.nouns)) == 2 == len(set(prompt.modifiers))


def test_nouns_are_at_the_authors_token_indices():
    for prompt in PAPER["two objects"]:
        assert [prompt.text.split().index(noun) + 1 for noun in prompt.nouns] == [2, 5]
    for prompt in PAPER["two coloured objects"]:
        assert [prompt.text.split().index(noun) + 1 for noun in prompt.nouns] == [3, 7]
        assert [prompt.text.split().index(colour) + 1 for colour in prompt.modifiers] == [2, 6]
    assert PAPER["two objects"][0] == MultiPrompt("a bird and a fish", ("bird", "fish"), (None, None), ("Animals",) * 2)
    assert PAPER["two coloured objects"][4].text == "a white bird and a red bear"


def test_every_concept_is_one_of_the_set_that_the_file_names():
    for name, benchmark in (("paper34", PAPER), ("pocket", POCKET)):
        known = ConceptSet.load(PRESETS / "concepts" / f"{name}.yaml").names
        assert {concept for prompts in benchmark.values() for one in prompts for concept in one.concepts} <= set(known)


@pytest.mark.parametrize("name, nouns", [("two objects", 2), ("two coloured objects", 2), ("three objects", 3)])
def test_the_pocket_models_prompts_are_in_its_own_words_and_can_be_read(name, nouns):
    known = set(vocabulary())
    assert len(POCKET[name]) == 8
    for prompt in POCKET[name]:
        assert set(prompt.text.split()) <= known
        assert len({kind_of(noun) for noun in prompt.nouns}) == nouns
        assert not set(prompt.nouns) & set(POLYSEMOUS)
        assert all(modifier in PLAIN_COLORS for modifier in prompt.modifiers if modifier)
        assert all(bool(modifier) == ("coloured" in name) for modifier in prompt.modifiers)


def test_articles_follow_the_sound():
    assert "an apple" in " ".join(prompt.text for prompt in POCKET["two objects"] + POCKET["three objects"])
    assert not [p for prompts in POCKET.values() for p in prompts if "a apple" in p.text]


@pytest.mark.parametrize(
    "text", ["sets: 3", "sets: {a: {pairs: [[x, y]]}}", "[", "sets: {a: {concept: C, pairs: [[x]]}}"]
)
def test_a_broken_file_is_refused_by_its_name(tmp_path, text):
    path = tmp_path / "mine.yaml"
    path.write_text(f'template: "a {{a}} and a {{b}}"\n{text}' if text != "[" else text)
    with pytest.raises(HRVError, match="mine.yaml cannot be read"):
        load_multi(path)
