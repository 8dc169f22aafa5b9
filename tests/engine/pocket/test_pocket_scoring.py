"""The shipped scorer reads the pocket world, several objects at once, and judges polysemous prompts fairly."""

from __future__ import annotations

import random

import pytest
import torch

from hrv_engine.pocket.evaluate import shown, single_object_prompts
from hrv_engine.pocket.model import SHIPPED
from hrv_engine.pocket.render import render
from hrv_engine.pocket.scenes import COLORS, KINDS, PLAIN_COLORS, POLYSEMOUS, SHAPES, Scene, Thing, kind_of
from hrv_engine.pocket.scorer_training import HIDDEN, accuracy, examples, labels
from hrv_engine.pocket.scoring import CLASSES, Scorer, misread, read_polysemous

BAR = 0.97


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return Scorer.load(SHIPPED / "scorer.safetensors")


def _prompt(color: str, shape: str) -> dict[str, str]:
    return {"color": color, "shape": shape, "thing": color}


def test_it_reads_every_family_of_fresh_renders(scorer):
    shares = accuracy(scorer, *examples(random.Random(2026), 1500))
    assert set(shares) == set(CLASSES) - {"color"} | {"color_of"}
    assert {family: share for family, share in shares.items() if share < BAR} == {}


def test_a_shape_in_the_asked_color_is_read_right(scorer):
    for color in POLYSEMOUS:
        scenes = [Scene((Thing(shape, color),)) for shape in SHAPES]
        scores = scorer(render(scenes, 5))
        wrong = [shape for row, shape in enumerate(SHAPES) if misread(scores, _prompt(color, shape))[row]]
        assert wrong == []


def test_the_thing_beside_the_shape_is_a_misreading(scorer):
    for word in POLYSEMOUS:
        scenes = [Scene((Thing(kind_of(word)), Thing("square", color))) for color in PLAIN_COLORS]
        reading = read_polysemous(scorer(render(scenes, 6)), _prompt(word, "square"))
        assert reading.misread.all()
        assert reading.unintended.float().mean() >= 0.85
        assert reading.shape.float().mean() >= 0.85
        assert not reading.color.any()


def test_the_shape_in_another_color_is_a_misreading_though_nothing_unintended_is_there(scorer):
    scenes = [Scene((Thing("star", color),)) for color in PLAIN_COLORS]
    reading = read_polysemous(scorer(render(scenes, 7)), _prompt("peach", "star"))
    assert reading.misread.all() and not reading.unintended.any()


def test_colors_are_bound_to_their_objects(scorer):
    pairs = [(a, b) for a in ("red", "blue", "yellow") for b in ("green", "purple", "black")]
    scenes = [Scene((Thing("circle", a), Thing("square", b))) for a, b in pairs]
    scores = scorer(render(scenes, 8))
    names = CLASSES["color"]
    for kind, side in (("circle", 0), ("square", 1)):
        read = scores["color_of"][:, KINDS.index(kind)].argmax(-1)
        right = [names[int(index)] == pair[side] for index, pair in zip(read, pairs, strict=True)]
        assert sum(right) / len(right) > 0.85


def test_probabilities_are_probabilities(scorer):
    scores = scorer(render([Scene((Thing("apple fruit"),)), Scene()], 9))
    assert scores["object"].shape == (2, len(KINDS)) and scores["color_of"].shape == (2, len(KINDS), len(COLORS))
    for family, names in CLASSES.items():
        assert scores[family].shape == (2, len(names))
        if family != "object":
            torch.testing.assert_close(scores[family].sum(-1), torch.ones(2))


def test_labels_that_a_image_cannot_show_are_hidden():
    truth = labels([Scene((Thing("star", "red"),), style="sketch"), Scene((Thing("star", "red"),), count=3)])
    star = KINDS.index("star")
    assert truth["color_of"][:, star].tolist() == [HIDDEN, CLASSES["color"].index("red")]
    assert truth["position"].tolist() == [CLASSES["position"].index("center"), HIDDEN]
    assert truth["count"].tolist() == [1, 3]


def test_a_foreign_file_is_refused_with_the_way_to_mend_it():
    with pytest.raises(ValueError, match=r"pocket\.safetensors is no scorer.*make train-pocket"):
        Scorer.load(SHIPPED / "pocket.safetensors")


def test_evaluation_prompts_ask_only_for_what_their_text_names():
    prompts = single_object_prompts(500)
    assert {asked["object"] for _, asked in prompts} == {k for k in KINDS if k not in {kind_of(w) for w in POLYSEMOUS}}
    for text, asked in prompts:
        assert all(value.split(" ")[0] in text.split() for value in asked.values())


def test_evaluation_counts_what_a_render_of_the_prompt_shows(scorer):
    scores = scorer(render([Scene((Thing("heart", "green"),), scene="city")], 3))
    assert shown(scores, {"object": "heart", "color": "green", "scene": "city"}, 0) == {
        "object": True, "shape": True, "color": True, "scene": True,
    }  # fmt: skip
    assert shown(scores, {"object": "star", "scene": "night"}, 0) == {"object": False, "shape": False, "scene": False}
