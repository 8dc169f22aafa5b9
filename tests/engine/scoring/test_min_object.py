"""Minimum object similarity: the prompt's parts, and the lowest of their scores image by image."""

import numpy as np
import pytest
import torch

from hrv_engine.errors import HRVError
from hrv_engine.pocket.render import render
from hrv_engine.pocket.scenes import Scene, Thing
from hrv_engine.pocket.scorer import PocketScorer
from hrv_engine.scoring.min_object import MinObjectScorer, sub_prompts


@pytest.mark.parametrize(
    "text, parts",
    [
        ("a cat and a dog", ["a cat", "a dog"]),
        ("a red cat and  a blue dog ", ["a red cat", "a blue dog"]),
        ("a cat, a dog and a bird", ["a cat", "a dog", "a bird"]),
        ("a cat, a dog, and a bird", ["a cat", "a dog", "a bird"]),
        ("A cat AND a sandy dog", ["A cat", "a sandy dog"]),
        ("a black-and-white cat and a dog", ["a black-and-white cat", "a dog"]),
    ],
)
def test_a_prompt_is_split_at_the_word_and_and_at_commas(text, parts):
    assert sub_prompts(text) == parts


@pytest.mark.parametrize("text", ["", "a cat", "a sandy hand", "a cat, a dog", "and", "a cat and", "a cat and, a dog"])
def test_a_prompt_without_two_objects_is_refused_with_an_example(text):
    with pytest.raises(HRVError, match='"a cat and a dog"'):
        sub_prompts(text)


def test_a_image_scores_as_its_worst_object():
    scorer = PocketScorer()
    both, one = Scene((Thing("apple", "red"), Thing("banana", "yellow"))), Scene((Thing("apple", "red"),))
    images = render([both, one], seed=0).movedim(1, -1)
    apart = np.stack([scorer.score(images, word) for word in ("apple", "banana")])
    found = MinObjectScorer(scorer).score(images, "apple and banana")
    np.testing.assert_array_equal(found, apart.min(axis=0))
    assert found.dtype == np.float64 and found[0] > 0.8 > 0.2 > found[1] and apart[0, 1] > 0.8


def test_its_name_says_what_it_is_the_minimum_of():
    assert MinObjectScorer(PocketScorer()).name == "minimum over objects: probability of the word"


def test_what_the_other_scorer_cannot_read_is_refused_by_it():
    with pytest.raises(HRVError, match='cannot read "a zebra"'):
        MinObjectScorer(PocketScorer()).score(torch.rand(1, 32, 32, 3), "apple and a zebra")
