"""HeadRelevance: normalisation, orders, clamping, the shuffled control, and matching heads to a model."""

import numpy as np
import pytest

from comfyui_hrv.tests.engine.examples import ballot, concept_set, random_counts, sd1_layout, small_layout
from hrv_engine.attention.heads import AttentionSite, HeadLayout
from hrv_engine.errors import HRVError
from hrv_engine.relevance.relevance import HeadRelevance, HeadVotes

TIED = [[3, 9, 3, 0, 9, 1, 0, 3]]
MORHF = [1, 4, 0, 2, 7, 5, 3, 6]


def relevance(rows: list, orders=None) -> HeadRelevance:
    values = np.array(rows, np.float32)
    return HeadRelevance(values, concept_set(*("Color", "Shape")[: len(rows)]), small_layout(), orders=orders)


def test_every_concept_is_normalised_to_l1_equal_to_the_number_of_heads_whatever_its_share_of_votes():
    counts = random_counts(1) * np.array([[1], [1000], [10**9]])
    values = ballot(counts).relevance().values
    assert values.dtype == np.float32
    np.testing.assert_allclose(values.sum(axis=1), small_layout().total, rtol=1e-6)
    np.testing.assert_allclose(values, random_counts(1) / random_counts(1).mean(axis=1, keepdims=True), rtol=1e-6)


def test_a_concept_without_votes_is_an_explained_error_and_never_nan():
    votes = ballot([[1, 2, 3, 4, 5, 6, 7, 8], [0] * 8]).relevance()
    assert np.isfinite(votes.values).all()
    for ask in (votes.row, votes.order):
        with pytest.raises(HRVError) as error:
            ask("Shape")
        assert '"Shape" never won a vote' in str(error.value) and "more prompts" in str(error.value)
    assert votes.row("Color").sum() == 8


def test_morhf_sorts_from_most_to_least_relevant_with_ties_by_index_and_lerhf_is_exactly_its_reverse():
    hrv = relevance(TIED)
    assert hrv.order("Color").tolist() == MORHF
    assert hrv.order("Color", "LeRHF").tolist() == MORHF[::-1]


def test_orders_of_random_votes_are_permutations_that_sort_the_row():
    for seed in range(20):
        hrv = ballot(random_counts(seed) // 12 + 1).relevance()
        for concept in hrv.concepts.names:
            order = hrv.order(concept)
            assert sorted(order) == list(range(8))
            keys = [(-hrv.row(concept)[head], head) for head in order]
            assert keys == sorted(keys)


def test_an_order_brought_by_a_file_settles_ties():
    own = np.array([[4, 1, 7, 2, 0, 5, 6, 3]])
    assert relevance(TIED, own).order("Color").tolist() == own[0].tolist()
    assert relevance(TIED, own.astype(np.int16)).order("Color", "LeRHF").tolist() == own[0, ::-1].tolist()


@pytest.mark.parametrize(
    "orders",
    [
        [[0, 1, 2, 3, 4, 5, 6, 7]],  # does not sort
        [[1, 4, 0, 2, 7, 5, 3, 3]],  # a head twice
        [[1, 4, 0, 2, 7, 5, 3, 600]],  # no such head
        [[1, 4, 0, 2, 7, 5, 3, -2]],
        [MORHF, MORHF],
        [MORHF[:7]],
        [[float(head) for head in MORHF]],
        [["1"] * 8],
    ],
)
def test_an_order_that_does_not_sort_the_vectors_is_refused(orders):
    with pytest.raises(HRVError, match="does not sort"):
        relevance(TIED, np.array(orders))


def test_an_unknown_order_is_refused_with_the_legal_ones():
    with pytest.raises(HRVError, match='"morhf".*MoRHF, LeRHF'):
        relevance(TIED).order("Color", "morhf")


def test_the_clamp_is_an_upper_bound_for_every_element_and_none_changes_nothing():
    hrv = ballot(random_counts(3)).relevance()
    clamped = hrv.clamped(1.25)
    assert (clamped.values == np.where(hrv.values > 1.25, np.float32(1.25), hrv.values)).all()
    assert clamped.values.max() == np.float32(1.25) < hrv.values.max()
    assert clamped.votes is None  # or a file would bring the unclamped vectors back
    assert hrv.clamped(None) is hrv


@pytest.mark.parametrize("limit", [0.0, -1.0, float("nan")])
def test_a_clamp_that_leaves_nothing_is_refused(limit):
    with pytest.raises(HRVError, match="above 0"):
        relevance(TIED).clamped(limit)


def test_the_shuffled_control_permutes_all_rows_alike_and_only_the_seed_decides():
    hrv = ballot(random_counts(4)).relevance()
    control = hrv.shuffled(7)
    assert control.votes is None and control.source["shuffled"] == 7
    assert not (control.values == hrv.values).all()
    as_columns = lambda values: sorted(map(tuple, values.T.tolist()))  # noqa: E731
    assert as_columns(control.values) == as_columns(hrv.values)
    assert (hrv.shuffled(7).values == control.values).all()
    assert (hrv.shuffled(8).values != control.values).any()


def test_vectors_fit_a_model_with_the_same_heads_whatever_their_width_and_no_other():
    hrv = relevance(TIED)
    wider = HeadLayout(tuple(AttentionSite(site.key, site.heads, 64) for site in small_layout().sites))
    assert hrv.for_layout(wider, "SD15") is hrv
    same_total = HeadLayout(small_layout().sites[::-1])
    for layout in (sd1_layout(), same_total):
        with pytest.raises(HRVError) as error:
            hrv.for_layout(layout, "SDXL")
        assert all(
            part in str(error.value)
            for part in ("3 layers, 8 heads", layout.summary, "SDXL", "build an HRV for this model")
        )


def test_vectors_of_a_wrong_shape_name_concepts_and_heads():
    with pytest.raises(HRVError) as error:
        HeadRelevance(np.ones((2, 9), np.float32), concept_set("Color", "Shape"), small_layout())
    assert all(part in str(error.value) for part in ("(2, 9)", "(2, 8)", '"test"', "3 layers, 8 heads"))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_vectors_with_nan_or_infinity_are_refused(bad):
    rows = [[1.0] * 7 + [bad]]
    with pytest.raises(HRVError, match="NaN or infinity"):
        relevance(rows)


def test_votes_give_the_same_vectors_as_their_per_step_votes_summed():
    steps = np.stack([random_counts(seed) for seed in range(4)])
    votes = ballot(steps.sum(axis=0), per_step=steps)
    assert isinstance(votes.relevance().votes, HeadVotes)
    assert (votes.relevance().values == ballot(votes.per_step.sum(axis=0)).relevance().values).all()
