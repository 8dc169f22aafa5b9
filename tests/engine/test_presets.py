"""The shipped presets: readable, complete, free of duplicates, and consistent with one another."""

from pathlib import Path

import pytest
import yaml

from hrv_engine.benchmarks.prompts import PromptSet
from hrv_engine.paths import PRESETS
from hrv_engine.pocket.captions import vocabulary
from hrv_engine.relevance.concepts import ConceptSet

CONCEPTS = sorted((PRESETS / "concepts").glob("*.yaml"))
PROMPTS = sorted((PRESETS / "prompts").glob("*.yaml"))
BENCHMARKS = sorted((PRESETS / "benchmarks").glob("*polysemous*.yaml"))  # the others: test_benchmarks.py


def read(path: Path) -> dict:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def paper34() -> ConceptSet:
    return ConceptSet.load(PRESETS / "concepts" / "paper34.yaml")


def test_paper34_has_34_concepts_of_ten_words_in_the_published_row_order():
    concepts = paper34()
    assert len(concepts.names) == 34
    assert {len(concept.words) for concept in concepts.concepts} == {10}
    # rows by which the published arrays can be recognised: first, last, and the ones the issue and the graphs use
    rows = {
        "Animals": 0,
        "Plants": 1,
        "Fruits and Vegetables": 2,
        "Tools": 10,
        "Color": 17,
        "Brand Logos": 32,
        "Geometric Patterns": 33,
    }
    assert {name: concepts.index(name) for name in rows} == rows


def test_paper34_repeats_no_word_and_names_no_concept_with_a_digit():
    words = [word.casefold() for concept in paper34().concepts for word in concept.words]
    assert len(set(words)) == len(words) == 340
    assert not any(character.isdigit() for name in paper34().names for character in name)


@pytest.mark.parametrize("path", CONCEPTS, ids=lambda path: path.stem)
def test_a_concept_file_carries_its_own_name_and_says_where_it_comes_from(path: Path):
    concepts = ConceptSet.load(path)
    assert concepts.name == path.stem
    assert len(concepts.names) >= 2
    assert all(isinstance(word, str) for words in read(path)["concepts"].values() for word in words), (
        "quote words like yes, no, 1"
    )
    assert {"description", "source"} <= read(path).keys()


@pytest.mark.parametrize("path", PROMPTS, ids=lambda path: path.stem)
def test_a_prompt_file_repeats_no_prompt_and_says_where_it_comes_from(path: Path):
    prompts = PromptSet.load(path)
    folded = [prompt.casefold() for prompt in prompts.prompts]
    assert prompts.name == path.stem
    assert sorted(set(folded)) == sorted(folded)
    assert not any("{}" in prompt or prompt != prompt.strip() for prompt in prompts.prompts)
    assert {"description", "source"} <= read(path).keys()


@pytest.mark.parametrize("path", PROMPTS, ids=lambda path: path.stem)
def test_a_shipped_prompt_set_is_the_same_in_either_reading_of_parentheses(path: Path):
    assert PromptSet.load(path).told_reading is None


def test_imagenet1000_is_a_photo_of_each_of_the_1000_classes():
    prompts = PromptSet.load(PRESETS / "prompts" / "imagenet1000.yaml").prompts
    assert len(prompts) == 1000
    assert (prompts[0], prompts[-1]) == ("a photo of a tench.", "a photo of a toilet tissue.")


def test_quick_names_every_concept_of_paper34_at_least_once():
    text = " ".join(PromptSet.load(PRESETS / "prompts" / "quick.yaml").prompts).casefold()
    silent = [
        concept.name for concept in paper34().concepts if not any(word.casefold() in text for word in concept.words)
    ]
    assert silent == []
    assert 24 <= len(PromptSet.load(PRESETS / "prompts" / "quick.yaml").prompts) <= 32


@pytest.mark.parametrize("path", BENCHMARKS, ids=lambda path: path.stem)
def test_a_benchmark_row_asks_for_known_concepts_and_a_word_of_its_prompt(path: Path):
    data = read(path)
    rows = data["prompts"]
    known = ConceptSet.load(PRESETS / "concepts" / f"{data['concepts']}.yaml").names
    assert rows
    assert len({row["text"] for row in rows}) == len(rows)
    for row in rows:
        assert row["word"] in row["text"].split(), row
        assert {row["desired"], row["undesired"]} <= set(known), row
        assert row["desired"] != row["undesired"], row


def test_polysemous_sd_marks_the_four_published_rows():
    rows = read(PRESETS / "benchmarks" / "polysemous_sd.yaml")["prompts"]
    published = {row["text"] for row in rows if row["published"]}
    assert published == {
        "A rose-colored vase",
        "A vase in lavender color",
        "An Apple device on a table",
        "A single rusted nut",
    }
    assert all(isinstance(row["published"], bool) for row in rows)


def load(name: str) -> ConceptSet:
    return ConceptSet.load(PRESETS / "concepts" / f"{name}.yaml")


@pytest.mark.parametrize(
    "name, base, added, words",
    [
        ("paper34_tableware", "paper34", "Tableware", 10),
        ("paper34_processes", "paper34", "Physical and Chemical Processes", 5),
        ("pocket_extended", "pocket", "Plural", 10),
    ],
)
def test_an_extended_set_keeps_the_rows_of_its_base_and_adds_one_concept_of_new_words(name, base, added, words):
    known, extended = load(base).concepts, load(name).concepts
    assert extended[:-1] == known and extended[-1].name == added
    old = {word.casefold() for concept in known for word in concept.words}
    new = {word.casefold() for word in extended[-1].words}
    assert len(new) == len(extended[-1].words) == words and not new & old


def test_tableware_leaves_out_what_the_paper_draws_to_test_it():
    drawn = (
        "salad bowl, serving platter, bread basket, fondue pot, spoon, fork, nut dish, coffee pot, tureen, chafing dish"
    )
    tested = set(drawn.replace(",", "").split())
    assert not tested & {word.casefold() for word in load("paper34_tableware").concepts[-1].words}


def test_the_pocket_models_further_concept_is_made_of_words_it_was_trained_on():
    assert set(load("pocket_extended").concepts[-1].words) <= set(vocabulary())
