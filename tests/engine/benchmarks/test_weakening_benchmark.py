"""Weakening experiments: the paper's counts of prompts, scored words that stand in their prompts, readable errors."""

from __future__ import annotations

from collections import Counter

import pytest

from hrv_engine.benchmarks.weakening import experiment_of, load_experiments, parse_seeds
from hrv_engine.errors import HRVError
from hrv_engine.paths import PRESETS
from hrv_engine.pocket.captions import vocabulary
from hrv_engine.pocket.scorer import readable
from hrv_engine.relevance.concepts import ConceptSet

BENCHMARKS = PRESETS / "benchmarks"
PAPER, POCKET = (load_experiments(BENCHMARKS / f"{name}.yaml") for name in ("ordered_weakening", "pocket_weakening"))
TABLE_5 = {  # images a point; three seeds each
    "Color": 150, "Weather Conditions": 60, "Animals": 30, "Material": 150, "Image Style": 150,
    "Geometric Patterns": 75, "Nature Scenes": 30, "Fruits and Vegetables": 30, "Furniture": 30,
    "Animals, held out": 30, "Color, held out": 150, "Material, held out": 150,
    "Fruits and Vegetables, held out": 30, "Nature Scenes, held out": 30, "Tableware": 30,
}  # fmt: skip


@pytest.mark.parametrize("name, images", TABLE_5.items())
def test_the_papers_experiments_have_the_papers_number_of_images(name: str, images: int):
    experiment = PAPER[name]
    assert len(experiment.prompts) * len(experiment.seeds) == images
    assert experiment.seeds == (10, 20, 30) and experiment.factor == -2.0
    assert experiment.concept == name.removesuffix(", held out")


def test_there_is_no_other_experiment_of_the_paper():
    assert set(PAPER) == set(TABLE_5)


@pytest.mark.parametrize("experiment", [*PAPER.values(), *POCKET.values()], ids=lambda one: f"{one.concept}-{one.name}")
def test_the_scored_word_stands_in_every_prompt(experiment):
    assert all(word and f" {word}" in text for text, word in experiment.prompts)
    assert len(set(experiment.prompts)) == len(experiment.prompts)


@pytest.mark.parametrize("experiment", POCKET.values(), ids=list(POCKET))
def test_pocket_experiments_use_the_models_own_words_and_can_be_scored(experiment):
    concepts = ConceptSet.load(BENCHMARKS.parent / "concepts" / "pocket.yaml")
    known = set(vocabulary())
    assert experiment.concept in concepts.names and len(experiment.prompts) >= 16
    for text, word in experiment.prompts:
        assert set(text.split()) <= known and readable(word)


def test_other_benchmarks_have_no_weakening_experiments():
    assert load_experiments(BENCHMARKS / "pocket_polysemous.yaml") == {}


@pytest.mark.parametrize("experiment", [*PAPER.values(), *POCKET.values()], ids=lambda one: f"{one.concept}-{one.name}")
def test_a_few_prompts_are_spread_over_the_scored_words(experiment):
    words = {word for _, word in experiment.prompts}
    for count in range(1, len(experiment.prompts) + 1):
        some = experiment.first(count).prompts
        often = Counter(word for _, word in some)
        assert len(set(some)) == len(some) == count
        assert len(often) == min(count, len(words)) and max(often.values()) - min(often.values()) <= 1


def test_a_few_prompts_vary_the_other_word_too_and_nothing_means_all():
    color = POCKET["Color"]
    assert {text.split()[-1] for text, _ in color.first(8).prompts} == {text.split()[-1] for text, _ in color.prompts}
    assert color.first(0) is color.first(1000) is color


@pytest.mark.parametrize(
    "change, quoted",
    [
        (("a: colors", "a: colours"), "colours"),
        (("scored: a", "scored: c"), "not a or b"),
        (("seeds: [1]", "seeds: many"), "ValueError"),
        (("words:", "lists:"), "words"),
    ],
)
def test_a_malformed_file_is_named_with_what_it_needs(tmp_path, change, quoted):
    text = (BENCHMARKS / "pocket_weakening.yaml").read_text(encoding="utf-8").replace(*change)
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(HRVError, match=f"mine.yaml.*{quoted}.*`template`"):
        load_experiments(tmp_path / "mine.yaml")


def test_unknown_experiments_and_seeds_that_are_no_numbers_are_refused():
    with pytest.raises(HRVError, match='"Colour".*Nearest: "Color"'):
        experiment_of(POCKET, "Colour")
    for text in ("two", "-1", str(2**64), "9" * 5000):
        with pytest.raises(HRVError, match=f'^"{text[:60]}" is no seed. Write whole numbers from 0 to {2**64 - 1} '):
            parse_seeds(f"1, {text}", (1,))
    assert parse_seeds(f"3, {2**64 - 1}", (1,)) == (3, 2**64 - 1) and parse_seeds(" ", (1, 2)) == (1, 2)
