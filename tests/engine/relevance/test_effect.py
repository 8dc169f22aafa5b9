"""HeadEffects: sums that add up to the bit in any order, vectors that keep their sign, files that bring them back."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from comfyui_hrv.hrv_engine.attention.heads import AttentionSite, HeadLayout
from comfyui_hrv.hrv_engine.errors import HRVError
from comfyui_hrv.hrv_engine.inspection.comparison import compare
from comfyui_hrv.hrv_engine.inspection.head_concepts import concepts_of_heads
from comfyui_hrv.hrv_engine.inspection.report import report
from comfyui_hrv.hrv_engine.relevance import files
from comfyui_hrv.hrv_engine.relevance.concepts import Concept, ConceptSet
from comfyui_hrv.hrv_engine.relevance.effect import (
    MOST_EFFECT,
    UNIT,
    HeadEffects,
    NoEffect,
    fixed,
    integration_points,
    share,
    word_effect,
)
from comfyui_hrv.hrv_engine.relevance.parts import Part
from comfyui_hrv.hrv_engine.relevance.relevance import EFFECT_CLAMP, HeadVotes
from comfyui_hrv.hrv_engine.relevance.rescale import adjust, strengthen

CONCEPTS = ConceptSet("two", (Concept("Color", ("red", "blue", "green")), Concept("Animals", ("dog", "cat"))))
LAYOUT = HeadLayout((AttentionSite(("input", 1, 0), 4, 8), AttentionSite(("output", 2, 0), 6, 8)))
RECIPE = {"steps": 20, "method": "effect"}


def part(start: int, images: int = 1) -> Part:
    return Part("two in custom", "d1", 0, start, images)


def measured(seed: int, start: int, images: int = 5, errors: bool = False) -> HeadEffects:
    """Five samples, one of each word."""
    values = np.random.default_rng(seed).normal(size=(images, LAYOUT.total))
    empty = HeadEffects.none(CONCEPTS, LAYOUT, RECIPE, errors)
    squares = np.abs(values) / 100 if errors else None
    return empty.with_samples(list(range(images)), values, (part(start, images),), squares)


def test_parts_add_up_to_the_bytes_of_one_build_in_any_order(tmp_path):
    values = np.random.default_rng(1).normal(size=(15, LAYOUT.total)) * 10.0 ** np.arange(-7, 8)[:, None]
    rows = list(range(5)) * 3
    empty = HeadEffects.none(CONCEPTS, LAYOUT, RECIPE)
    files.save(tmp_path / "one.safetensors", empty.with_samples(rows, values, (part(0, 15),)).relevance())
    cuts = [range(0, 4), range(4, 9), range(9, 15)]
    parts = [empty.with_samples([rows[i] for i in cut], values[cut], (part(cut.start, len(cut)),)) for cut in cuts]
    for number, (a, b, c) in enumerate(itertools.permutations(parts)):
        files.save(tmp_path / f"{number}.safetensors", (a + (b + c)).relevance())
        assert (tmp_path / f"{number}.safetensors").read_bytes() == (tmp_path / "one.safetensors").read_bytes()


def test_a_file_brings_everything_back_and_says_that_it_is_by_effect(tmp_path):
    for errors in (False, True):
        effects = measured(1, 0, errors=errors)
        files.save(path := tmp_path / "effect.safetensors", effects.relevance())
        loaded = files.load(path)
        assert loaded.method == "effect" and loaded.effects is not None and loaded.votes is None
        assert np.array_equal(loaded.effects.sums, effects.sums) and loaded.effects.parts == effects.parts
        assert np.array_equal(loaded.signed, effects.relevance().signed) and loaded.effects.recipe == RECIPE
        assert (loaded.effects.errors is None) != errors
        assert b'\\"version\\": 2' in path.read_bytes() and b'\\"method\\": \\"effect\\"' in path.read_bytes()


def test_vectors_without_sums_keep_their_sign_in_a_file(tmp_path):
    shuffled = measured(1, 0).relevance().shuffled(3)
    files.save(path := tmp_path / "shuffled.safetensors", shuffled)
    loaded = files.load(path)
    assert loaded.method == "effect" and np.array_equal(loaded.signed, shuffled.signed)
    assert loaded.sums is None and "by effect" in report(loaded)
    assert np.array_equal(loaded.order("Color"), shuffled.order("Color"))


def test_files_of_votes_are_written_as_before(tmp_path):
    votes = HeadVotes.none(CONCEPTS, LAYOUT, {"steps": 2})
    files.save(path := tmp_path / "votes.safetensors", votes.relevance())
    assert b'\\"version\\": 1' in path.read_bytes() and b"method" not in path.read_bytes()
    assert files.load(path).method == "votes"


def test_the_positive_part_has_l1_h_and_the_sign_is_kept_beside_it():
    relevance = measured(2, 0).relevance()
    assert relevance.values.sum(axis=1) == pytest.approx(LAYOUT.total, rel=1e-6)
    assert (relevance.values >= 0).all() and (relevance.signed < 0).any()
    assert np.array_equal(np.maximum(relevance.signed, 0), relevance.values)


def test_words_of_a_concept_count_alike_however_often_each_was_measured():
    empty = HeadEffects.none(CONCEPTS, LAYOUT, RECIPE)
    red, blue = np.eye(10)[0], np.eye(10)[1]
    effects = empty.with_samples([0, 0, 0, 1], np.stack([red, red, red, blue]), (part(0, 4),))
    assert effects.means[0] == pytest.approx((red + blue) / 2)
    assert effects.means[1] == pytest.approx(np.zeros(10))


def test_most_relevant_goes_by_signed_effect_and_least_relevant_by_its_size():
    relevance = measured(2, 0).relevance()
    means = relevance.effects.means[0]
    assert np.array_equal(relevance.order("Color"), np.argsort(-means, kind="stable"))
    assert relevance.order("Color")[-1] == means.argmin() and means.min() < 0
    assert np.array_equal(relevance.order("Color", "LeRHF"), np.argsort(np.abs(means), kind="stable"))


def test_steering_uses_the_measured_clamp_unless_told_otherwise():
    values = np.full((5, 10), 0.01)
    values[:, 3] = 1.0
    relevance = (
        HeadEffects.none(CONCEPTS, LAYOUT, RECIPE).with_samples(list(range(5)), values, (part(0, 5),)).relevance()
    )
    assert relevance.row("Color").max() > EFFECT_CLAMP
    assert strengthen(relevance, "Color").max() == EFFECT_CLAMP
    assert strengthen(relevance, "Color", 2.5).max() == 2.5
    assert strengthen(relevance, "Color", 1000).max() == relevance.row("Color").max()
    wanted = 2 * np.minimum(relevance.row("Color"), EFFECT_CLAMP) - np.minimum(relevance.row("Animals"), EFFECT_CLAMP)
    assert adjust(relevance, "Color", "Animals") == pytest.approx(wanted)


def test_a_concept_for_which_no_head_works_says_so():
    effects = HeadEffects.none(CONCEPTS, LAYOUT, RECIPE).with_samples([0], -np.ones((1, 10)), (part(0),))
    for concept in ("Color", "Animals"):
        with pytest.raises(HRVError, match=f'No head works for the concept "{concept}"'):
            effects.relevance().row(concept)
    assert effects.relevance().voted == []


@pytest.mark.parametrize(
    "other, said",
    [
        (replace(measured(3, 5), recipe=RECIPE | {"steps": 10}), "steps is 20 in one and 10 in the other"),
        (HeadEffects.none(CONCEPTS.keep(["Animals"]), LAYOUT, RECIPE), "concepts differ"),
        (replace(measured(3, 5), parts=(part(2, 5),)), "counted the same images"),
    ],
)
def test_effects_that_were_measured_otherwise_do_not_add(other, said):
    with pytest.raises(HRVError, match=said):
        measured(1, 0) + other


def test_votes_and_effects_do_not_add():
    with pytest.raises(HRVError, match="holds votes, the other effects"):
        HeadVotes.none(CONCEPTS, LAYOUT, RECIPE) + measured(1, 0)  # type: ignore[operator]
    with pytest.raises(HRVError, match="holds votes, the other effects"):
        measured(1, 0) + HeadVotes.none(CONCEPTS, LAYOUT, RECIPE)  # type: ignore[operator]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 2 * MOST_EFFECT])
def test_what_is_no_effect_is_refused_with_the_fix(value):
    with pytest.raises(HRVError, match="bfloat16"):
        fixed(np.array([[1.0, value]]))


def test_an_effect_is_kept_to_half_a_unit():
    values = np.random.default_rng(0).normal(size=1000)
    assert np.abs(fixed(values) * UNIT - values).max() <= UNIT / 2


def damaged(path: Path, name: str, value: np.ndarray) -> None:
    """The file with one of its tensors exchanged."""
    from safetensors.numpy import load_file, save_file

    tensors = load_file(path) | {name: value}
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        import json

        header = json.loads(file.read(length))["__metadata__"]
    save_file(tensors, path, header)


@pytest.mark.parametrize(
    "name, value",
    [
        ("effect_sums", np.full((5, 10), 2**62, np.int64)),
        ("effect_sums", np.full((5, 10), np.iinfo(np.int64).min, np.int64)),
        ("effect_sums", np.zeros((4, 10), np.int64)),
        ("effect_sums", np.zeros((5, 10), np.float32)),
        ("effect_samples", np.array([1, 1, 1, 1, -1])),
        ("effect_samples", np.array([1, 1, 1, 1, 3])),
        ("effect_errors", np.full((5, 10), -1, np.int64)),
    ],
)
def test_a_damaged_file_is_refused(tmp_path, name, value):
    files.save(path := tmp_path / "effect.safetensors", measured(1, 0, errors=True).relevance())
    damaged(path, name, value)
    with pytest.raises(HRVError, match="may be damaged"):
        files.load(path)


def test_f_is_one_at_the_prediction_itself_and_zero_without_the_word():
    generator = torch.Generator().manual_seed(0)
    with_word, without = torch.randn(2, 3, 4, 8, 8, generator=generator)
    d = word_effect(with_word, without, torch.float32)
    assert (share(with_word, d) - share(without, d)).numpy() == pytest.approx(np.ones(3), rel=1e-5)


def test_a_word_that_changes_nothing_is_told_by_its_image():
    with_word = torch.randn(3, 4, 8, 8)
    without = with_word.clone()
    without[:2] += 1
    with pytest.raises(NoEffect) as raised:
        word_effect(with_word, without, torch.float32)
    assert raised.value.image == 2
    with pytest.raises(NoEffect):  # rounding of the model's type is no effect
        word_effect(with_word[:1], with_word[:1] * (1 + 2e-3), torch.bfloat16)
    with pytest.raises(NoEffect, match="not finite"):
        word_effect(with_word * torch.nan, without, torch.float32)


def test_integration_points_are_midpoints():
    assert integration_points(1) == [1.0]
    assert integration_points(4) == [0.125, 0.375, 0.625, 0.875]


def test_figures_and_lists_show_heads_that_work_against_a_concept():
    relevance = measured(4, 0).relevance()
    shown = concepts_of_heads(relevance, [int(relevance.signed[0].argmin())])
    assert min(one.relevance for one in shown if one.concept == "Color") == relevance.signed[0].min()
    other = measured(5, 5).relevance()
    change = next(one for one in compare(relevance, other).changes if one.concept == "Color")
    a, b = relevance.signed[0].astype(float), other.signed[0].astype(float)
    assert change.cosine == pytest.approx(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_the_report_tells_samples_shares_and_errors():
    text = report(measured(1, 0, errors=True).relevance())
    assert "5 samples" in text and "Color" in text and "Standard error" in text
    assert "not measured yet" in report(measured(1, 0, images=3).relevance())
