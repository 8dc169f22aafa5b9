"""Cosines of concepts and timesteps, and top heads: by arithmetic, and against the published figures."""

from __future__ import annotations

import numpy as np
import pytest

from comfyui_hrv.tests.engine.examples import ballot
from comfyui_hrv.tests.engine.test_published import PUBLISHED, needs_arrays, published
from hrv_engine import similarity
from hrv_engine.errors import HRVError

PER_STEP = "category_vectors_epoch_1_to_1_neg_prompt_False_merged_340_final_text_descriptions_sd_v1_4_per_timesteps.npy"
COLOR_SD14 = [120, 108, 117, 114, 123, 7, 98, 105, 97, 111]
ANIMALS_SD14 = [123, 43, 111, 117, 14, 32, 106, 109, 110, 7]
COLOR_SDXL = [926, 77, 1283, 4, 48, 92, 979, 1074, 260, 918]
ANIMALS_SDXL = [324, 1078, 521, 323, 1208, 517, 576, 716, 297, 313]


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
    vectors = similarity.timestep_vectors(np.load(PUBLISHED / PER_STEP, allow_pickle=False)[:50])
    found = similarity.summary(similarity.cosines(vectors), [str(step) for step in range(50)])
    assert (found.least, found.mean, found.median, found.most) == pytest.approx(
        (0.9564, 0.9884, 0.9920, 0.9995), abs=5e-5
    )
    assert found.farthest == ("0", "49")


@needs_arrays
@pytest.mark.parametrize(
    "model, concept, heads, peak",
    [
        ("sd14", "Color", COLOR_SD14, 8.31),
        ("sd14", "Animals", ANIMALS_SD14, 4.43),
        ("sdxl", "Color", COLOR_SDXL, 66.15),
        ("sdxl", "Animals", ANIMALS_SDXL, 19.15),
    ],
)
def test_the_top_ten_heads_of_the_published_vectors_are_those_of_the_facts(model, concept, heads, peak):
    top = similarity.top_heads(published(model), concept)
    assert [head for head, _, _ in top] == heads
    assert top[0][2] == pytest.approx(peak, abs=5e-3)


def test_top_heads_carry_their_layer_and_head_number():
    hrv = ballot([[0, 9, 1, 1, 1, 5, 1, 1], [1] * 8]).relevance()
    assert [(head, label) for head, label, _ in similarity.top_heads(hrv, "Color", 2)] == [
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
    rows = similarity.top_heads_table(hrv, ["Color", "Shape"], 2)
    assert [(row["concept"], row["rank"], row["head"]) for row in rows] == [
        ("Color", 1, 1),
        ("Color", 2, 5),
        ("Shape", 1, 7),
        ("Shape", 2, 0),
    ]
    assert rows[0]["relevance"] == pytest.approx(9 * 8 / 19)
    assert similarity.top_heads_text(rows).split("\n")[:2] == ["Color", "  1. head 1 = L1/h1 (input 1.0): 3.79"]
