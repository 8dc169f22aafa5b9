"""The shipped drawings model: its file, its words, and that it draws what it is asked for."""

from __future__ import annotations

import random

import pytest
import torch

from hrv_engine.pocket.drawings import words
from hrv_engine.pocket.drawings.captions import draw_caption
from hrv_engine.pocket.drawings.evaluate import (
    colored_pair_rates,
    misread_rates,
    pair_rates,
    sampled,
    shown_rates,
    single_thing_requests,
)
from hrv_engine.pocket.drawings.reading import thing_shown, word_shown
from hrv_engine.pocket.drawings.scorer import SHIPPED_SCORER, Scorer
from hrv_engine.pocket.model import MODELS, PocketModel
from hrv_engine.pocket.scorer import PocketScorer
from hrv_engine.pocket.shares import Share
from hrv_engine.pocket.text import LENGTH


@pytest.fixture(scope="module")
def model() -> PocketModel:
    return PocketModel.load(MODELS["drawings"])


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return Scorer.load(SHIPPED_SCORER)


def test_the_model_knows_every_word_of_the_captions(model):
    assert tuple(sorted(model.vocabulary.words)) == words.vocabulary()
    rows, end = model.vocabulary.encode("a sketch picture of four wooden strawberries in the mountains")
    assert len(rows) == LENGTH and 10 <= end < 20


def test_it_ships_in_eight_bits():
    assert MODELS["drawings"].stat().st_size < 20_000_000


def test_it_draws_places_and_faces_that_the_scorer_reads(model, scorer):
    asked = ["a cat in the forest", "a dog at night", "an apple on the beach", "a happy face"]
    images = model.sample(asked, steps=10)
    assert images.shape == (4, 3, 64, 64)
    scores = scorer(images)
    shown = [word_shown(scores, word)[row].item() for row, word in enumerate(("forest", "night", "beach", "happy"))]
    assert sum(share > 0.5 for share in shown) >= 3


def test_it_draws_things_in_their_colours(model, scorer):
    asked = [("teal", "guitar"), ("purple", "castle"), ("green", "lion"), ("red", "robot")]
    scores = scorer(model.sample([f"a {color} {noun}" for color, noun in asked], steps=10))
    things = [thing_shown(scores, noun)[row].item() for row, (_, noun) in enumerate(asked)]
    colors = [word_shown(scores, color)[row].item() for row, (color, _) in enumerate(asked)]
    assert sum(share > 0.5 for share in things) >= 3 and sum(share > 0.5 for share in colors) >= 3


def test_a_saved_model_draws_the_same(model, tmp_path):
    model.save(tmp_path / "model.safetensors")
    again = PocketModel.load(tmp_path / "model.safetensors")
    assert again.side == model.side == 64
    torch.testing.assert_close(again.sample(["a cat"], steps=2), model.sample(["a cat"], steps=2), rtol=0, atol=0.02)


def test_rates_are_shares_of_the_images(model, scorer):
    requests = single_thing_requests(4)
    rates = shown_rates(sampled(model, ["a cat"] * 4, steps=1, batch=2), requests, scorer)
    pairs = pair_rates(model, scorer, 2, steps=1)
    assert rates["object"].images == 4 and {share.images for name, share in rates.items() if name != "object"} == {1}
    assert all(share.images == 2 for share in misread_rates(model, scorer, 2, steps=1).values())
    assert sum(share.hits for share in pairs.values()) == 2
    colored = colored_pair_rates(model, scorer, 2, steps=1)
    assert {share.images for share in colored.values()} == {2} and list(colored) == [
        *("both things", "both colours", "colours swapped"),
    ]


def test_an_interval_holds_its_share_and_narrows_with_more_images():
    (low, high), (lower, higher) = Share(8, 10).interval, Share(80, 100).interval
    assert (low, high) == pytest.approx((0.490, 0.943), abs=1e-3), "Wilson's interval of 8 in 10"
    assert low < lower < 0.8 < higher < high
    assert Share.of([True, False, True, True]) == Share(3, 4)


def test_the_pocket_scorer_reads_images_of_either_size(model):
    images = model.sample(["a happy face"], steps=10).movedim(1, -1)
    scores = PocketScorer().score(images, "happy")
    assert scores.shape == (1,) and 0 <= scores[0] <= 1


def test_captions_of_training_are_encoded_whole(model):
    rng = random.Random(0)
    assert max(model.vocabulary.encode(draw_caption(rng).text)[1] for _ in range(500)) < LENGTH
