"""What `make figures` and `make figures-editing` count, on a few images of the pocket model."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from comfyui_hrv.hrv_engine.benchmarks.editing import EditingPair, load_editing, spread
from comfyui_hrv.hrv_engine.benchmarks.several_objects import MultiPrompt
from comfyui_hrv.hrv_engine.weakening.curves import WeakeningResult
from comfyui_hrv.nodes.host.words import encode
from comfyui_hrv.nodes.prompt import HRVPrompt
from comfyui_hrv.tools.figures import editing, editing_report, multi, report, session, steering, votes, weakening
from comfyui_hrv.tools.figures.captions import captions
from comfyui_hrv.tools.figures.subjects import SQUARES, SUBJECTS

pytestmark = pytest.mark.usefixtures("inference_mode")
ORDERS = [
    ("MoRHF", "MoRHF", 0),
    ("LeRHF", "LeRHF", 0),
    ("random 1", "random", 1),
    ("random 1 reversed", "random reversed", 1),
]
ASKED = {
    "text": "an orange circle", "word": "orange", "desired": "Color", "undesired": "Fruit", "color": "orange",
    "shape": "circle", "thing": "orange",
}  # fmt: skip


@pytest.fixture(scope="module")
def weakened() -> tuple[list, np.ndarray]:
    with torch.inference_mode():
        return weakening.task("Color", "a red star", "red", 3, ORDERS, [0, 30, 112], -2.0)


def test_a_prompt_is_weakened_in_every_order_with_both_ends_shared(weakened):
    rows, images = weakened
    assert [(row["order"], row["heads"]) for row in rows] == [(o[0], k) for o in ORDERS for k in (0, 30, 112)]
    scores = np.array([row["score"] for row in rows]).reshape(4, 3)
    assert np.ptp(scores[:, 0]) == 0 == np.ptp(scores[:, 2]) and np.ptp(scores[:, 1]) > 0
    assert images.shape == (6, 32, 32, 3) and (images[0] == images[3]).all()


def test_the_plain_image_is_a_ksamplers_and_shows_what_was_asked(weakened):
    model, clip, vae = session.pocket()
    positive = HRVPrompt.execute(clip, "a red star").args[0]
    plain = vae.decode(session.draw(model, positive, encode(clip, ""), 3, 1))
    assert weakened[0][0]["score"] == pytest.approx(float(session.scorer().score(plain, "red")[0]), abs=1e-3)
    assert weakened[0][0]["score"] > 0.9


def test_areas_of_all_orders_come_out_of_the_rows(weakened):
    figures = report._figures(WeakeningResult.of(weakened[0]))
    assert len(figures["random_areas"]) == 1 and figures["base_score"] > 0.9
    assert figures["beats_every_random_order"] == (figures["hrv_area"] > abs(figures["random_areas"][0]))
    twice = report._overall({"Color": figures, "again": {**figures, "beats_every_random_order": True, "hrv_area": 0.0}})
    assert twice["hrv_mean"] == pytest.approx(figures["hrv_area"] / 2) and twice["random_orders"] == 2
    assert twice["beats_every_random_order"] == 1 + figures["beats_every_random_order"]


def test_every_head_votes_once_a_draw_image_and_step():
    counted = votes.task(captions(2, 5), 0, 2, 100)
    total = session.vectors().layout.total
    assert counted.shape == (2, 2, SQUARES.steps, len(session.concepts().names), total)
    assert (counted.sum(axis=3) == 1).all()
    assert (counted[0] != counted[1]).any()


def test_adjusting_lowers_what_plain_misreads_and_strength_zero_does_not():
    plain = steering.task(ASKED, "plain", 1.0, 0.0, 300, 16)
    assert steering.task(ASKED, "adjusted", 0.0, 0.0, 300, 16) == plain
    adjusted = steering.task(ASKED, "adjusted", 1.0, 4.0, 300, 16)
    assert adjusted["misread"] < plain["misread"] and adjusted["images"] == 16


PAIR = EditingPair("Color", "blue", "red", "blue", "red", "object")


@pytest.mark.parametrize("method", editing_report.METHODS)
def test_every_editing_method_is_counted_and_shown(method):
    counts, images = editing.task(PAIR, method, None, 5, 4)
    assert counts["pairs"] == 4 and images.shape == (2, 32, 32, 3)
    assert counts["both"] <= min(counts["edited"], counts["kept"]) <= 4
    assert 0 < counts["background"] < 0.5
    if method != "MasaCtrl":  # which keeps the source's looks, colours among them
        assert counts["edited"] >= 2


def test_more_self_replacement_is_another_edit_of_the_same_source():
    (_, less), (_, more) = (editing.task(PAIR, "P2P", value, 5, 2) for value in (0.0, 1.0))
    assert (less[0] == more[0]).all() and (less[1] != more[1]).any()


def test_pairs_that_are_spread_vary_in_words_and_in_things():
    pairs = load_editing(SUBJECTS["drawings"].benchmark("editing"))["Image Style"]
    some = spread(pairs, 8)
    assert len({(pair.source_word, pair.edited_word) for pair in some}) == 8 == len({pair.thing for pair in some})


def test_the_drawings_are_edited_and_guided_by_the_same_tasks():
    drawings = SUBJECTS["drawings"]
    pair = EditingPair("Color", "red", "green", "red", "green", "object")
    counts, images = editing.task(pair, "P2P-HRV, effect", None, 3, 2, drawings)
    assert counts["edited"] == 2 and images.shape == (2, 64, 64, 3)
    asked = MultiPrompt("a red cat and a blue tree", ("cat", "tree"), ("red", "blue"), ("Animals", "Plants"))
    plain, _ = multi.task(asked, "plain", {}, 3, 2, drawings)
    assert plain["present"] == plain["bound"] == 2
    swapped = MultiPrompt(asked.text, asked.nouns, ("blue", "red"), asked.concepts)
    assert multi.task(swapped, "plain", {}, 3, 2, drawings)[0]["bound"] == 0
