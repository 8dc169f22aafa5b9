"""The scorer of drawings: what it is taught to read, what it says of words, and how well the shipped one reads."""

from __future__ import annotations

import math
import random

import pytest
import torch

from hrv_engine.errors import HRVError
from hrv_engine.pocket.drawings import words
from hrv_engine.pocket.drawings.accuracy import accuracy, accuracy_of_classes, fresh_labels
from hrv_engine.pocket.drawings.evaluate import shown, shown_rates, single_thing_requests
from hrv_engine.pocket.drawings.examples import draw_scenes
from hrv_engine.pocket.drawings.labels import HIDDEN, labels, readable
from hrv_engine.pocket.drawings.layout import stage
from hrv_engine.pocket.drawings.reading import drawings_meant, paint_of, read_senses, word_shown
from hrv_engine.pocket.drawings.scenes import Named, Request, Scene, Thing
from hrv_engine.pocket.drawings.scorer import CLASSES, SHIPPED_SCORER, Scorer
from hrv_engine.pocket.drawings.scorer_training import Recipe, ScorerTrainer, loss_of


def scene(*things: Named, **whole: str) -> Scene:
    return stage(Request(things, **whole), random.Random(0))


def scores(**seen: str) -> dict[str, torch.Tensor]:
    """Probabilities [1, classes] of a scorer that is sure: the first class, but for the families named."""
    result = {family: torch.zeros(1, len(classes)) for family, classes in CLASSES.items()}
    for family, classes in CLASSES.items():
        result[family][0, classes.index(seen[family]) if family in seen else 0] = 1
    return result


def test_all_that_an_image_shows_is_read():
    assert readable(scene(Named("apple", "red", pattern="striped"), place="snow")) == {
        **{"object": "red apple", "paint": "red", "pattern": "striped", "place": "snow"},
        **{"weather": "none", "light": "none", "style": "none", "count": "one", "size": "usual", "position": "center"},
    }


def test_of_two_things_each_is_read_from_its_half():
    seen = readable(scene(Named("cat", "red"), Named("dog")))
    assert (seen["left_object"], seen["left_paint"]) == ("cat", "red")
    assert (seen["right_object"], seen["right_paint"]) == ("dog", "natural")
    assert seen["count"] == "pair" and not {"object", "paint", "pattern", "position"} & set(seen)


def test_copies_of_one_thing_are_read_as_that_thing():
    seen = readable(scene(Named("cat"), count="two"))
    assert seen["count"] == "two" and seen["object"] == "cat" and "size" not in seen


@pytest.mark.parametrize(
    "asked, hidden",
    [
        (scene(Named("cat", "red"), style="sketch"), "paint"),
        (scene(Named("cat", "red"), light="sunset"), "paint"),
        (scene(Named("cat", pattern="dotted"), style="silhouette"), "pattern"),
        (scene(Named("cat", pattern="dotted"), size="tiny"), "pattern"),
        (scene(Named("cat"), style="silhouette", weather="rainy"), "weather"),
        (scene(Named("cat"), position="left"), "size"),
        (scene(place="forest"), "object"),
    ],
)
def test_what_an_image_cannot_show_is_hidden(asked, hidden):
    assert hidden not in readable(asked)
    assert labels([asked])[hidden].item() == HIDDEN


def test_labels_are_class_numbers():
    truth = labels([scene(Named("dog", "blue")), scene(place="lake")])
    assert set(truth) == set(CLASSES)
    assert truth["object"].tolist() == [words.DRAWINGS.index("dog"), HIDDEN]
    assert truth["place"].tolist() == [0, CLASSES["place"].index("lake")]
    assert truth["count"].tolist() == [CLASSES["count"].index("one"), CLASSES["count"].index("none")]


@pytest.mark.parametrize(
    "noun, meant",
    [
        *(("apples", ("red apple",)), ("mouse", ("mouse", "computer mouse")), ("computer mouse", ("computer mouse",))),
        ("happy face", ("smiling face with smiling eyes",)),
    ],
)
def test_a_noun_means_its_drawings(noun, meant):
    assert drawings_meant(noun) == meant


def test_words_are_read_from_their_family():
    seen = scores(object="red apple", paint="blue", count="one", place="snow", style="neon", size="tiny")
    for word in ("apple", "apples", "an apple", "blue", "snow", "neon", "tiny", "one"):
        assert word_shown(seen, word).item() == 1, word
    for word in ("pear", "red", "forest", "two", "mouse", "happy"):
        assert word_shown(seen, word).item() == 0, word
    pair = scores(count="pair", left_object="cat", right_object="ribbon", right_paint="red", object="dog")
    for word in ("cat", "bow", "red", "two", "ribbon"):
        assert word_shown(pair, word).item() == 1, word
    assert word_shown(pair, "dog").item() == 0


def test_a_word_of_two_kinds_is_the_colour_and_with_an_article_the_thing():
    orange_car = scores(object="automobile", paint="orange", count="one")
    assert word_shown(orange_car, "orange").item() == 1 and word_shown(orange_car, "an orange").item() == 0


def test_an_unknown_word_is_refused_with_the_nearest():
    with pytest.raises(HRVError, match='cannot read "elefant".*"elephant"'):
        word_shown(scores(), "elefant")


def test_a_colour_belongs_to_the_half_of_its_thing():
    pair = scores(count="pair", left_object="cat", left_paint="red", right_object="dog", right_paint="blue")
    assert CLASSES["paint"][int(paint_of(pair, "dog").argmax())] == "blue"
    assert CLASSES["paint"][int(paint_of(pair, "cat").argmax())] == "red"


@pytest.mark.parametrize(
    "seen, misread, intended",
    [
        ({"count": "one", "object": "automobile", "paint": "orange"}, False, True),
        ({"count": "one", "object": "automobile", "paint": "golden"}, False, True),  # the eye hardly tells them apart
        ({"count": "one", "object": "automobile", "paint": "red"}, True, False),
        ({"count": "one", "object": "bear", "paint": "orange"}, False, False),
        ({"count": "one", "object": "tangerine", "paint": "orange"}, True, False),
        (
            {"count": "pair", "left_object": "tangerine", "right_object": "automobile", "right_paint": "orange"},
            True,
            False,
        ),
        ({"count": "pair", "left_object": "bear", "right_object": "automobile", "right_paint": "orange"}, True, False),
    ],
)
def test_an_orange_car_is_misread_if_a_second_thing_is_there_or_nothing_is_orange(seen, misread, intended):
    senses = read_senses(scores(**seen), "orange", "car")
    assert (senses.misread.item(), senses.intended.item()) == (misread, intended)


def test_a_trainer_goes_on_where_it_stopped(tmp_path):
    recipe = Recipe(batch=8, warmup=1)
    first = ScorerTrainer(tmp_path, recipe, torch.device("cpu"))
    losses = [first.step(0.5).item() for _ in range(2)]
    first.save()
    again = ScorerTrainer(tmp_path, recipe, torch.device("cpu"))
    assert (again.progress.step, again.progress.seen) == (2, 16) and losses[0] > 0
    for ours, theirs in zip(again.network.state_dict().values(), first.network.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs)
    assert Scorer.load(tmp_path / "scorer.safetensors")(torch.rand(2, 3, 64, 64))["object"].shape == (2, 421)


def test_rich_scenes_have_many_attributes():
    def styled(rich_share: float) -> int:
        scenes = draw_scenes(random.Random(0), 400, rich_share=rich_share)
        return sum(bool(scene.style or scene.light) for scene in scenes)

    assert styled(1.0) > 200 and styled(0.0) < 120


def test_hidden_labels_cost_nothing():
    truth = labels([Scene((Thing("cat"),))])
    sure = {family: 50 * values for family, values in scores(object="cat", count="one").items()}
    assert loss_of(sure, truth, Recipe()).item() < 1e-3


def test_requests_take_turns_through_families_and_nouns():
    asked = single_thing_requests(240)
    assert {family for family, *_ in asked} >= {"object", "color", "place", "expression"}
    nouns = [request.things[0].noun for family, _, request in asked if family != "expression"]
    assert len(set(nouns)) == len(nouns) == 220 and not set(nouns) & set(words.SECOND_SENSE)


def test_what_is_shown_is_counted_by_family():
    asked = [("color", "red", Request((Named("cat", "red"),))), ("object", "", Request((Named("dog"),)))]
    assert shown(scores(object="cat", paint="blue"), 0, *asked[0]) == {"object": True, "color": False}
    blind = Scorer().eval()
    rates = shown_rates([torch.rand(2, 3, 64, 64)], asked, blind)
    assert set(rates) == {"object", "color"} and all(0 <= rate.hits <= rate.images for rate in rates.values())


def test_accuracy_counts_visible_labels_only_and_that_of_classes_all_of_them_alike():
    true = {"style": torch.tensor([0, 0, 0, 1, HIDDEN]), "object": torch.tensor([HIDDEN] * 5)}
    read = {"style": torch.zeros(5, dtype=torch.long), "object": torch.zeros(5, dtype=torch.long)}
    assert accuracy(read, true)["style"] == 0.75 and accuracy_of_classes(read, true)["style"] == 0.5
    assert math.isnan(accuracy(read, true)["object"]) and math.isnan(accuracy_of_classes(read, true)["object"])


def test_fresh_renders_are_the_same_each_time():
    blind = Scorer().eval()
    (read, true), (again, same) = (fresh_labels(blind, 30, batch=20) for _ in range(2))
    assert set(read) == set(true) == set(CLASSES)
    assert all(torch.equal(true[f], same[f]) and torch.equal(read[f], again[f]) for f in CLASSES)


def test_the_shipped_scorer_reads_fresh_renders():
    read, true = fresh_labels(Scorer.load(SHIPPED_SCORER), 500, seed=77)
    shares = accuracy(read, true)
    assert {family: share for family, share in shares.items() if share < 0.9} == {}
    assert SHIPPED_SCORER.stat().st_size <= 4_000_000
