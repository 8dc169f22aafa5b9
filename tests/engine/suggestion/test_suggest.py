"""Senses of a word by arithmetic: ranking, the leave-one-out check, proposed pairs, and what the report says."""

from __future__ import annotations

import re

import numpy as np
import pytest

from comfyui_hrv.tests.engine.examples import small_layout
from hrv_engine.errors import HRVError
from hrv_engine.figures.suggestion import senses_figure
from hrv_engine.relevance.concepts import Concept, ConceptSet
from hrv_engine.relevance.relevance import HeadRelevance
from hrv_engine.suggestion.lexicon import Lexicon
from hrv_engine.suggestion.suggest import chosen_words, content_words, most_open, report_text, sense_rows, word_senses
from hrv_engine.text.alignment import Piece, TokenTable

# Color points north, Fruit east and Plant nearly east; Size stands for itself.
ANGLES = {"red": 90, "blue": 80, "apple": 0, "pear": 8, "tree": -20, "moss": -28, "tiny": 200, "huge": 210}
WORDS = {"Color": ("red", "blue"), "Fruit": ("apple", "pear"), "Plant": ("tree", "moss"), "Size": ("tiny", "huge")}
ROWS = {"Color": [8, 0, 0, 0, 0, 0, 0, 0], "Fruit": [0, 4, 4, 0, 0, 0, 0, 0], "Plant": [0, 4, 3, 1, 0, 0, 0, 0]}
ROWS |= {"Size": [0, 0, 0, 0, 0, 0, 8, 0]}


def at(degrees: float) -> np.ndarray:
    """A unit vector in the plane."""
    return np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))], np.float32)


def relevance(**rows: list[int]) -> HeadRelevance:
    chosen = rows or ROWS
    concepts = ConceptSet("test", tuple(Concept(name, WORDS[name]) for name in chosen))
    return HeadRelevance(np.array(list(chosen.values()), np.float32), concepts, small_layout())


@pytest.fixture
def lexicon() -> Lexicon:
    return Lexicon.of(relevance(), {word: at(angle) for word, angle in ANGLES.items()})


def table(prompt: str) -> TokenTable:
    runs = re.findall(r"\w+|[^\w\s]", prompt.lower())
    return TokenTable(prompt, tuple(Piece(i, run.encode(), True) for i, run in enumerate(runs, 1)))


def test_a_concept_is_as_near_as_its_nearest_word_after_the_common_mean_is_taken_away(lexicon):
    vectors = np.stack([at(angle) for angle in ANGLES.values()])
    centred = vectors - vectors.mean(axis=0)
    asked = at(60) - vectors.mean(axis=0)
    cosine = centred @ asked / np.linalg.norm(centred, axis=1) / np.linalg.norm(asked)
    by_word = dict(zip(ANGLES, cosine, strict=True))
    senses = lexicon.senses(at(60))
    assert [sense.concept for sense in senses] == ["Color", "Fruit", "Plant", "Size"]
    for sense in senses:
        best = max(WORDS[sense.concept], key=by_word.get)
        assert sense.like == best and sense.similarity == pytest.approx(by_word[best], abs=1e-6)


def test_a_shift_and_a_scale_of_all_embeddings_change_nothing(lexicon):
    moved = Lexicon.of(relevance(), {word: 3 * at(angle) + [5, -2] for word, angle in ANGLES.items()})
    for angle in (10, 60, 130):
        ours, theirs = lexicon.senses(at(angle)), moved.senses((3 * at(angle) + [5, -2]).astype(np.float32))
        assert [sense.concept for sense in ours] == [sense.concept for sense in theirs]
        np.testing.assert_allclose([s.similarity for s in ours], [s.similarity for s in theirs], atol=1e-5)


def test_concepts_that_share_their_heads_are_not_proposed_against_each_other(lexicon):
    senses = lexicon.senses(at(10))
    assert [sense.concept for sense in senses][:2] == ["Fruit", "Plant"]
    pair = lexicon.pair(senses)
    assert (pair.undesired, pair.desired) == ("Fruit", "Color") and pair.cosine == 0
    nearness = {sense.concept: sense.similarity for sense in senses}
    assert pair.gap == pytest.approx(nearness["Fruit"] - nearness["Color"])


def test_a_meaning_that_is_given_is_kept_and_turned_away_from_the_nearest_other(lexicon):
    pair = lexicon.pair(lexicon.senses(at(10)), "color")
    assert (pair.desired, pair.undesired) == ("Color", "Fruit")
    with pytest.raises(HRVError, match='no concept "colour".*Color'):
        lexicon.pair(lexicon.senses(at(10)), "colour")


def test_the_check_leaves_each_word_out_with_all_its_entries():
    words = {"Color": ("red", "Rose"), "Fruit": ("apple", "pear"), "Plant": ("rose", "tree", "moss"), "Size": ("tiny",)}
    concepts = ConceptSet("twice", tuple(Concept(name, of) for name, of in words.items()))
    hrv = HeadRelevance(np.array(list(ROWS.values()), np.float32), concepts, small_layout())
    angles = ANGLES | {"rose": -24, "Rose": -24}
    lexicon = Lexicon.of(hrv, {word: at(angle) for word, angle in angles.items()})
    check = lexicon.check
    assert check.words == len(check.right) == 7  # red, Rose, apple, pear, rose, tree, moss; tiny has no other word
    assert check.first == int(check.right.sum())
    assert (
        check.right[1] and check.right[4]
    )  # Rose and rose are one word, of Color and of Plant, and lie among the plants
    assert not check.right[0]  # the only other word of Color is Rose, and that is far away


def test_every_word_is_named_when_concepts_are_apart(lexicon):
    check = lexicon.check
    assert (check.words, check.first, check.among) == (8, 8, 8)
    assert check.alike(0.0) == (3, 3)
    assert check.as_open(2.0) == 1 and check.as_open(float(np.abs(check.gaps).min()) / 2) == 0


def test_one_concept_alone_has_nothing_to_be_turned_to():
    with pytest.raises(HRVError, match="only Color won a vote"):
        Lexicon.of(relevance(Color=[8, 0, 0, 0, 0, 0, 0, 0], Fruit=[0] * 8), {word: at(0) for word in ANGLES})


def test_content_words_leave_out_what_stands_for_nothing_to_see():
    assert content_words(table("A photo of an Orange square , on the (orange) two wall .")) == [
        "orange",
        "square",
        "wall",
    ]
    with pytest.raises(HRVError, match='"a photo of the".*no word that could mean'):
        content_words(table("a photo of the"))


def test_a_word_that_the_prompt_does_not_have_is_quoted_with_its_neighbours():
    assert chosen_words(table("a rose circle"), "circle, circle") == ["circle"]
    with pytest.raises(HRVError, match='"rosy" is not in the prompt "a rose circle".*"rose"'):
        chosen_words(table("a rose circle"), "rosy")


def test_the_most_open_word_is_proposed_and_unknown_ones_are_not_believed(lexicon):
    vectors = {"cherry": at(3), "orange": at(42), "vase": at(44)}
    found = word_senses(lexicon, vectors, unknown=["vase"])
    assert most_open(found).word == "orange"
    text = report_text(found, lexicon.check, 4, 2)
    assert "> orange: " in text and "does not know the word" in text
    assert "8 of 8 (100%)" in text and "guessing: 25% and 75%" in text
    assert "Size" not in text.split("How far")[0]  # only two senses are shown


def test_the_table_has_every_sense_and_marks_the_pair(lexicon):
    rows = sense_rows(word_senses(lexicon, {"orange": at(50)}))
    assert [row["rank"] for row in rows] == [1, 2, 3, 4]
    assert {row["concept"]: row["proposed"] for row in rows if row["proposed"]} == {
        "Color": "undesired",
        "Fruit": "desired",
    }


def test_a_word_of_the_set_is_said_to_be_one(lexicon):
    found = word_senses(lexicon, {"Apple": at(0)})
    assert found[0].listed == ("Fruit",)
    assert "It is a word of Fruit" in report_text(found, lexicon.check, 4, 2)


def test_longer_bars_stand_for_nearer_senses_and_the_proposed_pair_is_coloured(lexicon):
    image = senses_figure(word_senses(lexicon, {"orange": at(50)}), 3).astype(int)
    green = (image == (0, 158, 115)).all(axis=2).sum()
    vermilion = (image == (213, 94, 0)).all(axis=2).sum()
    assert 0 < green < vermilion  # the nearer sense is the undesired one
    assert senses_figure(word_senses(lexicon, {"a": at(50), "b": at(3)}), 3).size > image.size
