"""Groups by grammar: on spaCy documents whose parse is given, so that no model is needed."""

from __future__ import annotations

import pytest
import spacy
from spacy.tokens import Doc

from hrv_engine.errors import HRVError
from hrv_engine.text import dependencies
from hrv_engine.text.dependencies import dependency_groups, load_parser, noun_chunks

from .test_phrases import said

VOCABULARY = spacy.blank("en").vocab


def parsed(*tokens: tuple[str, str, str, int]):
    """A parser that knows one sentence: (word, part of speech, dependency, place of its head)."""

    def parse(text: str) -> Doc:
        words, tags, kinds, heads = zip(*tokens, strict=True)
        assert text == " ".join(words)
        return Doc(VOCABULARY, list(words), pos=list(tags), deps=list(kinds), heads=list(heads))

    return parse


CAR_AND_BENCH = parsed(
    ("a", "DET", "det", 2), ("red", "ADJ", "amod", 2), ("car", "NOUN", "ROOT", 2), ("and", "CCONJ", "cc", 2),
    ("a", "DET", "det", 6), ("blue", "ADJ", "amod", 6), ("bench", "NOUN", "conj", 2),
)  # fmt: skip


def test_modifiers_are_grouped_with_their_noun_last_and_with_its_columns():
    found = dependency_groups(said("a red car and a blue bench"), CAR_AND_BENCH)
    assert found == [[("red", (2,)), ("car", (3,))], [("blue", (6,)), ("bench", (7,))]]


def test_a_noun_without_modifiers_is_no_group():
    parse = parsed(("a", "DET", "det", 1), ("cat", "NOUN", "ROOT", 1))
    assert dependency_groups(said("a cat"), parse) == []


def test_modifiers_of_modifiers_compounds_and_joined_adjectives_belong_to_the_noun():
    parse = parsed(
        ("a", "DET", "det", 6), ("dark", "ADV", "advmod", 2), ("red", "ADJ", "amod", 6), ("and", "CCONJ", "cc", 2),
        ("white", "ADJ", "conj", 2), ("sports", "NOUN", "compound", 6), ("car", "NOUN", "ROOT", 6),
    )  # fmt: skip
    (group,) = dependency_groups(said("a dark red and white sports car"), parse)
    assert [word for word, _ in group] == ["dark", "red", "white", "sports", "car"]


def test_what_is_said_of_a_noun_belongs_to_it():
    parse = parsed(
        ("the", "DET", "det", 1), ("dog", "NOUN", "nsubj", 2), ("is", "AUX", "ROOT", 2), ("red", "ADJ", "acomp", 2)
    )
    assert dependency_groups(said("the dog is red"), parse) == [[("red", (4,)), ("dog", (2,))]]
    parse = parsed(
        ("a", "DET", "det", 1), ("dog", "NOUN", "ROOT", 1), ("that", "PRON", "nsubj", 3), ("is", "AUX", "relcl", 1),
        ("red", "ADJ", "acomp", 3),
    )  # fmt: skip
    assert dependency_groups(said("a dog that is red"), parse) == [[("red", (5,)), ("dog", (2,))]]


def test_noun_chunks_come_with_articles_and_columns():
    found = noun_chunks(said("a red car and a blue bench"), CAR_AND_BENCH)
    assert [[word for word, _ in chunk] for chunk in found] == [["a", "red", "car"], ["a", "blue", "bench"]]
    assert [columns for _, columns in found[1]] == [(5,), (6,), (7,)]


def test_a_missing_model_and_a_missing_spacy_are_refused_with_the_command_that_installs_them(monkeypatch):
    with pytest.raises(HRVError, match="python -m spacy download en_nowhere"):
        load_parser("en_nowhere")

    def without(name):
        raise ImportError(name)

    monkeypatch.setattr(dependencies, "import_module", without)
    with pytest.raises(HRVError, match="pip install spacy"):
        load_parser("en_another")
