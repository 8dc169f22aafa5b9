"""Cosines of concepts and timesteps, and top heads: by arithmetic, and against the published figures."""

from __future__ import annotations

import csv
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from comfyui_hrv.tests.engine.examples import ballot
from comfyui_hrv.tests.engine.relevance.test_published import PUBLISHED, needs_arrays, published
from hrv_engine.errors import HRVError
from hrv_engine.inspection import similarity

PER_STEP = "category_vectors_epoch_1_to_1_neg_prompt_False_merged_340_final_text_descriptions_sd_v1_4_per_timesteps.npy"
TOP_TEN = Path(__file__).with_name("published_top_heads.csv")  # the authors' arrays, to two digits


def test_equal_vectors_have_cosine_one_and_disjoint_ones_zero():
    matrix = similarity.cosines(np.array([[1.0, 0, 2], [2, 0, 4], [0, 3, 0], [0, 0, 0]]))
    np.testing.assert_allclose(matrix[:3, :3], [[1, 1, 0], [1, 1, 0], [0, 0, 1]], atol=1e-12)
    assert not matrix[3].any()


def test_the_summary_names_the_closest_and_the_farthest_pair():
    found = similarity.summary(np.array([[1, 0.2, 0.9], [0.2, 1, 0.4], [0.9, 0.4, 1]]), ["a", "b", "c"])
    assert (found.least, found.median, found.most) == (0.2, 0.4, 0.9)
    assert found.mean == pytest.approx(0.5) and found.farthest == ("a", "b") and found.closest == ("a", "c")
    with pytest.raises(HRVError, match="at least two"):
        similarity.summary(np.ones((1, 1)), ["a"])


@needs_arrays
@pytest.mark.parametrize(
    "model, figures", [("sd14", (0.030, 0.334, 0.319, 0.804)), ("sdxl", (0.091, 0.300, 0.298, 0.563))]
)
def test_the_published_vectors_are_as_alike_as_the_facts_say(model, figures):
    hrv = published(model)
    found = similarity.summary(similarity.concept_cosines(hrv), list(hrv.concepts.names))
    assert (found.least, found.mean, found.median, found.most) == pytest.approx(figures, abs=5e-4)
    assert found.closest == ("Clothing", "Accessories")


@needs_arrays
def test_the_published_timesteps_are_as_alike_as_the_facts_say():
    steps = np.load(PUBLISHED / PER_STEP, allow_pickle=False)
    names = [str(step) for step in range(len(steps))]
    found = similarity.summary(similarity.cosines(similarity.timestep_vectors(steps[:50])), names[:50])
    figures = (found.least, found.mean, found.median, found.most)
    assert [f"{figure:.4f}" for figure in figures] == ["0.9564", "0.9884", "0.9920", "0.9995"]
    assert found.farthest == ("0", "49")
    every = similarity.summary(similarity.cosines(similarity.timestep_vectors(steps)), names)
    assert [f"{figure:.4f}" for figure in (every.least, every.mean)] == ["0.9445", "0.9876"]
    of_means = similarity.summary(similarity.cosines(steps[:50].mean(axis=0)), names[:34])
    assert [f"{figure:.3f}" for figure in (of_means.least, of_means.mean, of_means.most)] == ["0.031", "0.332", "0.805"]


@needs_arrays
@pytest.mark.parametrize("model", ["sd14", "sdxl"])
def test_the_top_ten_heads_of_the_published_vectors_are_those_of_the_facts_to_the_digit(model):
    with TOP_TEN.open(encoding="utf-8", newline="") as file:
        expected = [row for row in csv.DictReader(file) if row.pop("model") == model]
    heads = similarity.top_heads(published(model), ["Color", "Animals"], 10)
    assert [{**asdict(head), "relevance": f"{head.relevance:.2f}"} for head in heads] == [
        {**row, "rank": int(row["rank"]), "head": int(row["head"])} for row in expected
    ]


def test_top_heads_carry_their_layer_and_head_number():
    hrv = ballot([[0, 9, 1, 1, 1, 5, 1, 1], [1] * 8]).relevance()
    assert [(head.head, head.label) for head in similarity.top_heads(hrv, ["Color"], 2)] == [
        (1, "L1/h1 (input 1.0)"),
        (5, "L2/h3 (middle 0.0)"),
    ]


def test_timesteps_need_votes_per_timestep():
    with pytest.raises(HRVError, match="per_timestep"):
        similarity.timestep_cosines(ballot([[1] * 8, [2] * 8]).relevance())
    steps = np.array([[[1, 0, 0, 0, 0, 0, 0, 0]] * 2, [[0, 1, 0, 0, 0, 0, 0, 0]] * 2])
    hrv = ballot(steps.sum(axis=0), per_step=steps).relevance()
    np.testing.assert_allclose(similarity.timestep_cosines(hrv), np.eye(2), atol=1e-12)


def test_named_cosines_leave_out_concepts_without_votes():
    hrv = ballot([[1] * 8, [0] * 8, [3, 0, 0, 0, 0, 0, 0, 0]]).relevance()
    names, matrix = similarity.named_cosines(hrv, "concepts")
    assert names == ["Color", "Size"]
    np.testing.assert_allclose(matrix, [[1, 8**-0.5], [8**-0.5, 1]])
    with pytest.raises(HRVError, match='"heads" cannot be compared. Legal: concepts, timesteps'):
        similarity.named_cosines(hrv, "heads")


def test_the_summary_text_gives_both_pairs_and_their_cosines():
    text = similarity.summary_text(np.array([[1, 0.2, 0.9], [0.2, 1, 0.4], [0.9, 0.4, 1]]), ["a", "b", "c"], "concepts")
    assert "3 concepts, 3 pairs: mean cosine 0.5000, median 0.4000" in text
    assert "closest: concept a and c, 0.9000; farthest: concept a and b, 0.2000" in text


def test_the_table_of_top_heads_ranks_each_concept_from_one_and_the_text_repeats_it():
    hrv = ballot([[0, 9, 1, 1, 1, 5, 1, 1], [1, 1, 1, 1, 1, 1, 1, 3]]).relevance()
    heads = similarity.top_heads(hrv, ["Color", "Shape"], 2)
    assert [(head.concept, head.rank, head.head) for head in heads] == [
        ("Color", 1, 1),
        ("Color", 2, 5),
        ("Shape", 1, 7),
        ("Shape", 2, 0),
    ]
    assert heads[0].relevance == pytest.approx(9 * 8 / 19)
    assert similarity.top_heads_text(heads).split("\n")[:2] == ["Color", "  1. head 1 = L1/h1 (input 1.0): 3.79"]
