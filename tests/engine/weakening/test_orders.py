"""Ordered weakening: orders, factors, curves and areas."""

from __future__ import annotations

import numpy as np
import pytest

from hrv_engine.attention.heads import AttentionSite, HeadLayout
from hrv_engine.errors import HRVError
from hrv_engine.relevance.concepts import Concept, ConceptSet
from hrv_engine.relevance.relevance import HeadRelevance
from hrv_engine.weakening.orders import (
    WeakeningCurve,
    area_between,
    head_order,
    order_label,
    paper_grid,
    parse_factors,
    parse_grid,
    parse_orders,
    weaken,
)

LAYOUT = HeadLayout((AttentionSite(("input", 1, 0), 3, 8), AttentionSite(("output", 2, 0), 2, 8)))
HRV = HeadRelevance(
    np.array([[2, 0.5, 0, 1.5, 1], [1, 1, 1, 1, 1]], np.float32),
    ConceptSet("two", (Concept("Color", ("red",)), Concept("Size", ("big",)))),
    LAYOUT,
)
# The one score table the authors published: Image Style on SD1.4, mean OpenCLIP similarity of 150 images a point.
K = (0, 1, 11, 21, 31, 41, 51, 61, 71, 81, 91, 101, 111, 121, 128)
MORHF = (
    0.2353,
    0.2337,
    0.1768,
    0.1632,
    0.1555,
    0.1514,
    0.1326,
    0.1289,
    0.1273,
    0.1308,
    0.1305,
    0.1265,
    0.1221,
    0.1281,
    0.1268,
)
LERHF = (
    0.2353,
    0.2347,
    0.2338,
    0.2305,
    0.2294,
    0.2345,
    0.2336,
    0.2322,
    0.2283,
    0.2313,
    0.2200,
    0.2039,
    0.1882,
    0.1548,
    0.1268,
)


def test_most_relevant_first_weakens_the_heads_with_the_largest_elements():
    assert weaken(HRV, "Color", "MoRHF", 2).tolist() == [-2, 1, 1, -2, 1]


def test_least_relevant_first_is_the_reverse_order():
    assert (
        head_order(HRV, "Color", "LeRHF").tolist()
        == head_order(HRV, "Color", "MoRHF")[::-1].tolist()
        == [2, 1, 4, 3, 0]
    )


@pytest.mark.parametrize("order", ["MoRHF", "LeRHF", "random"])
def test_no_head_changes_nothing_and_all_heads_are_all_weakened(order):
    assert (weaken(HRV, "Color", order, 0) == 1).all()
    assert (weaken(HRV, "Color", order, 5, factor=0.5) == 0.5).all()


def test_random_orders_are_permutations_chosen_by_their_seed():
    orders = [tuple(head_order(HRV, "Color", "random", seed)) for seed in range(8)]
    assert all(sorted(order) == list(range(5)) for order in orders)
    assert len(set(orders)) > 3 and orders[3] == tuple(head_order(HRV, "Color", "random", 3))


def test_more_heads_than_the_model_has_are_refused_with_its_number():
    with pytest.raises(HRVError, match="6 heads.*H = 5"):
        weaken(HRV, "Color", "MoRHF", 6)


def test_an_unknown_order_is_refused_with_the_legal_ones():
    with pytest.raises(HRVError, match='"mohrf".*MoRHF, LeRHF, random'):
        weaken(HRV, "Color", "mohrf", 2)


def test_the_area_is_a_sum_of_trapezoids_over_the_share_of_heads():
    less, more = WeakeningCurve((0, 2, 5), (1.0, 1.0, 0.0)), WeakeningCurve((0, 2, 5), (1.0, 0.0, 0.0))
    assert area_between(less, more, total=5) == pytest.approx((0.5 * 1 * 2 + 0.5 * 1 * 3) / 5)
    assert area_between(more, less, total=5) == -area_between(less, more, total=5)


def test_the_published_score_table_has_the_published_area_with_k_1_over_k_and_over_h():
    area = area_between(WeakeningCurve(K, LERHF), WeakeningCurve(K, MORHF), total=128)
    assert area == pytest.approx(0.0737, abs=5e-5)
    assert area * 128 == pytest.approx(9.433, abs=1e-3)


def test_curves_of_other_points_or_without_points_are_refused():
    with pytest.raises(HRVError, match="different k"):
        area_between(WeakeningCurve((0, 2), (1, 0)), WeakeningCurve((0, 3), (1, 0)), 5)
    with pytest.raises(HRVError, match="at least two points"):
        WeakeningCurve((), ())
    with pytest.raises(HRVError, match="must rise"):
        WeakeningCurve((2, 1), (0, 0))


def test_the_papers_grids_are_those_of_its_figures():
    assert paper_grid(128) == [0, *K[1:]]
    assert paper_grid(1300) == [0, 11, 111, 211, 311, 411, 511, 611, 711, 811, 911, 1011, 1111, 1211, 1300]
    assert parse_grid("Paper", 128) == paper_grid(128)


def test_grids_rise_and_orders_keep_their_seeds():
    assert parse_grid("11, 0, 1, 11", 128) == [0, 1, 11]
    assert parse_orders("morhf, LeRHF, random, random:3") == [("MoRHF", 0), ("LeRHF", 0), ("random", 0), ("random", 3)]


def test_a_reversed_random_order_is_the_same_order_backwards_and_says_so():
    forward, backward = parse_orders("random:3, Random : 3 : reversed")
    assert (order_label(*forward), order_label(*backward)) == ("random 3", "random 3 reversed")
    first, last = (head_order(HRV, "Color", *order).tolist() for order in (forward, backward))
    assert first == last[::-1] and order_label("MoRHF", 0) == "MoRHF"


@pytest.mark.parametrize("text", ["random:x", "random:3:backwards", "MoRHF:reversed", "random:-1", f"random:{2**64}"])
def test_orders_that_do_not_exist_are_quoted_with_those_that_do(text):
    with pytest.raises(HRVError, match=f'"{text}".*random:1:reversed'):
        parse_orders(text)


def test_numbers_of_any_length_are_refused_in_one_sentence_and_the_greatest_legal_one_is_read():
    digits = "9" * 5000
    assert parse_orders(f"random:{2**64 - 1}") == [("random", 2**64 - 1)]
    with pytest.raises(HRVError, match=f"with seeds from 0 to {2**64 - 1}") as error:
        parse_orders(f"random:{digits}")
    assert len(str(error.value)) < 300
    assert parse_grid("128, 0", 128) == [0, 128]
    for text, quoted in (("129", "129 heads"), (digits, f"{digits[:60]} heads")):
        with pytest.raises(HRVError, match=f"^{quoted} cannot be weakened.*Use 0 to 128"):
            parse_grid(text, 128)


def test_factors_keep_their_order_and_come_once():
    assert parse_factors("-2") == [-2.0]
    assert parse_factors(" 1, -2 , 0.5, -2") == [1.0, -2.0, 0.5]


@pytest.mark.parametrize("text", ["", "strong", "-2; -1", "nan", "-11", "inf"])
def test_factors_that_are_none_are_quoted_with_the_range(text):
    with pytest.raises(HRVError, match=f'"{text}" is no list of factors.*-10 to 10'):
        parse_factors(text)
