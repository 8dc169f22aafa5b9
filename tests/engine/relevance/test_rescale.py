"""Strengthening and adjusting: the algebra of r_h."""

import numpy as np
import pytest

from comfyui_hrv.tests.engine.examples import ballot, random_counts
from hrv_engine.errors import HRVError
from hrv_engine.relevance.relevance import HeadRelevance
from hrv_engine.relevance.rescale import (
    HeadScale,
    adjust,
    check_window,
    chosen_concepts,
    concept_list,
    strengthen,
    with_strength,
)


def hrv(seed: int = 1) -> HeadRelevance:
    return ballot(random_counts(seed)).relevance()


def test_strengthening_is_the_concepts_own_row():
    assert (strengthen(hrv(), "Color") == hrv().row("Color")).all()
    assert strengthen(hrv(), "color").dtype == np.float32


def test_several_concepts_are_averaged_so_that_the_mean_stays_one():
    mean = (hrv().row("Color") + hrv().row("Size")) / 2
    np.testing.assert_allclose(strengthen(hrv(), "Color, Size"), mean, rtol=1e-6)
    assert (strengthen(hrv(), "Color,Color") == hrv().row("Color")).all()
    assert strengthen(hrv(), "Color, Size, Shape").mean() == pytest.approx(1, abs=1e-6)


def test_adjusting_is_twice_the_desired_minus_the_undesired_row_with_mean_one_and_negative_factors():
    for seed in range(10):
        r = adjust(hrv(seed), "Color", "Shape")
        np.testing.assert_allclose(r, 2 * hrv(seed).row("Color") - hrv(seed).row("Shape"), rtol=1e-6, atol=1e-6)
        assert r.mean() == pytest.approx(1, abs=1e-6)
    assert min(adjust(hrv(seed), "Color", "Shape").min() for seed in range(10)) < 0


def test_adjusting_a_concept_against_itself_is_strengthening_to_the_bit():
    assert (adjust(hrv(), "Color", "Color") == strengthen(hrv(), "Color")).all()


def test_weights_are_linear():
    wanted, unwanted = hrv().row("Color"), hrv().row("Shape")
    np.testing.assert_allclose(adjust(hrv(), "Color", "Shape", 3.5, 0.25), 3.5 * wanted - 0.25 * unwanted, rtol=1e-6)
    assert (adjust(hrv(), "Color", "Shape", 1.0, 0.0) == wanted).all()


def test_the_clamp_bounds_each_concept_before_they_are_combined():
    wanted, unwanted = np.minimum(hrv().row("Color"), 1.1), np.minimum(hrv().row("Shape"), 1.1)
    r = adjust(hrv(), "Color", "Shape", clamp=1.1)
    np.testing.assert_allclose(r, 2 * wanted - unwanted, rtol=1e-6)
    assert r.max() > 1.1  # the bound is not on the result
    assert strengthen(hrv(), "Color", clamp=1.1).max() == np.float32(1.1)


def test_strength_runs_in_a_straight_line_from_untouched_through_the_papers_r_and_beyond():
    r = adjust(hrv(), "Color", "Shape")
    assert (with_strength(r, 0.0) == 1).all()
    assert (with_strength(r, 1.0) == r).all()
    np.testing.assert_allclose(with_strength(r, 0.5), (1 + r) / 2, rtol=1e-6)
    np.testing.assert_allclose(with_strength(r, 1.7), 1 + 1.7 * (r - 1), rtol=1e-5, atol=1e-6)
    assert with_strength(r, 0.3).dtype == np.float32


@pytest.mark.parametrize(
    "changes",
    [{"factors": np.ones(8, np.float32)}, {"columns": ()}, {"start": 0.4, "end": 0.4}, {"start": 0.0, "end": 0.0}],
)
def test_a_scale_that_changes_nothing_is_neutral(changes):
    acting = {"columns": (3,), "factors": np.array([1, 1, 1, 1, 1, 1, 1, 1.5], np.float32)}
    assert not HeadScale(**acting).neutral
    assert HeadScale(**{**acting, **changes}).neutral


def test_zero_strength_is_neutral_whatever_the_vector():
    assert HeadScale((1, 2), with_strength(strengthen(hrv(), "Color"), 0.0)).neutral


@pytest.mark.parametrize("start, end", [(0.8, 0.2), (-0.1, 1.0), (0.0, 1.1), (float("nan"), 1.0)])
def test_a_window_that_runs_backwards_or_leaves_the_sampling_is_refused_and_quoted(start, end):
    with pytest.raises(HRVError, match=f"{start} to {end}.*start_percent"):
        check_window(start, end)


def test_concepts_are_listed_by_commas_and_an_empty_list_is_refused():
    assert concept_list(" Color ,, Fruits and Vegetables,") == ["Color", "Fruits and Vegetables"]
    for text in ("", " , ,"):
        with pytest.raises(HRVError, match="No concept in"):
            concept_list(text)


def test_a_misspelt_concept_is_refused_on_either_side():
    for desired, undesired in (("Colr", "Shape"), ("Shape", "Colr")):
        with pytest.raises(HRVError, match='"Colr".*Nearest: "Color"'):
            adjust(hrv(), desired, undesired)


def test_chosen_concepts_are_those_named_once_each_or_all_that_won_a_vote():
    hrv = ballot([[1] * 8, [0] * 8, [2] * 8]).relevance()
    assert chosen_concepts(hrv, "") == ["Color", "Size"]
    assert chosen_concepts(hrv, " size, COLOR,Size") == ["Size", "Color"]
    with pytest.raises(HRVError, match='"Shape" never won a vote'):
        chosen_concepts(hrv, "Shape")
    with pytest.raises(HRVError, match="None of the concepts Color, Shape won a vote"):
        chosen_concepts(ballot([[0] * 8] * 2).relevance(), " ")
