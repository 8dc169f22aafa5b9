"""Nouns and groups: found by simple rules, or typed."""

from __future__ import annotations

import pytest

from hrv_engine.errors import HRVError
from hrv_engine.text.phrases import noun_phrases, nouns, parse_groups, subject

from ..tables import table


def said(text: str) -> object:
    return table(text, text.lower().replace(",", " +,").replace(".", " +.").replace("-", " +- +"))


@pytest.mark.parametrize(
    "prompt, found",
    [
        ("a cat and a dog", ["cat", "dog"]),
        ("a red car and a blue bench", ["red car", "blue bench"]),
        ("a photo of a small wooden boat, next to two red apples", ["small wooden boat", "red apples"]),
        ("a horse with a hat in the desert at night", ["horse", "hat", "desert", "night"]),
        ("fox", ["fox"]),
        ("a purple cat wearing a green crown.", ["purple cat", "green crown"]),
    ],
)
def test_phrases_are_cut_at_words_that_only_join(prompt, found):
    phrases = noun_phrases(said(prompt))
    assert [" ".join(word for word, _ in phrase) for phrase in phrases] == found
    assert [word for word, _ in nouns(said(prompt))] == [phrase.split()[-1] for phrase in found]


def test_found_words_come_with_their_columns():
    (first, second) = noun_phrases(table("a skateboarder and a big dog", "a skate|boarder and a big dog"))
    assert first == [("skateboarder", (2, 3))] and second == [("big", (6,)), ("dog", (7,))]


def test_a_prompt_without_a_noun_is_refused():
    with pytest.raises(HRVError, match='No noun.*"in the"'):
        nouns(said("in the"))


def test_a_subject_must_be_in_the_prompt_and_be_more_than_a_joining_word():
    assert subject(said("a cat and a dog"), "dog") == (5,)
    with pytest.raises(HRVError, match='"and" names nothing.*"cat", "dog"'):
        subject(said("a cat and a dog"), "and")
    with pytest.raises(HRVError, match='"bird" is not in the prompt'):
        subject(said("a cat and a dog"), "bird")


def test_groups_are_words_of_the_prompt_with_the_noun_last():
    found = parse_groups("red car; blue bench", said("a red car and a blue bench"))
    assert found == [[("red", (2,)), ("car", (3,))], [("blue", (6,)), ("bench", (7,))]]
    assert parse_groups("red, car", said("the car is red")) == [[("red", (4,)), ("car", (2,))]]
    assert parse_groups("", said("a car")) == []


def test_a_repeated_word_belongs_to_the_group_it_stands_beside():
    found = parse_groups("red car; red bench", said("a red car and a red bench"))
    assert found == [[("red", (2,)), ("car", (3,))], [("red", (6,)), ("bench", (7,))]]


def test_a_word_of_several_tokens_is_one_member():
    (group,) = parse_groups("rose-colored vase", said("a rose-colored vase"))
    assert group == [("rose-colored", (2, 3, 4)), ("vase", (5,))]


@pytest.mark.parametrize("text", ["red car; red bench", "red red car", "red, car; blue, car"])
def test_a_word_in_two_groups_is_refused_with_the_syntax(text):
    with pytest.raises(HRVError, match='"red car; blue bench"'):
        parse_groups(text, said("a red car, a bench that is blue"))


def test_a_word_that_is_not_there_is_refused_with_the_nearest():
    with pytest.raises(HRVError, match='"green" is not in the prompt'):
        parse_groups("green car", said("a red car"))
