"""Bootstrap intervals: right for data whose answer is known, exact without spread, the same for the same seed."""

import numpy as np
import pytest

from hrv_engine.errors import HRVError
from hrv_engine.scoring.intervals import Interval, mean_interval, paired_difference


def test_of_many_normal_values_the_interval_is_the_one_of_the_normal_law():
    values = np.random.default_rng(0).normal(3.0, 2.0, 400)
    found = mean_interval(values)
    half = 1.959964 * values.std() / np.sqrt(400)
    assert found.mean == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.05 * half)


def test_a_wider_confidence_gives_a_wider_interval():
    values = np.random.default_rng(0).random(30)
    narrow, usual, wide = (mean_interval(values, confidence=c) for c in (0.5, 0.95, 0.99))
    assert wide.low < usual.low < narrow.low < narrow.high < usual.high < wide.high


def test_pairing_takes_out_what_the_pairs_share():
    draw = np.random.default_rng(1)
    base, gain = draw.normal(0, 10, 50), draw.normal(0.5, 0.1, 50)
    paired = paired_difference(base, base + gain)
    assert 0.4 < paired.low < paired.mean < paired.high < 0.6
    unpaired = paired_difference(base, (base + gain)[draw.permutation(50)])
    assert unpaired.low < 0 < unpaired.high


def test_the_sign_is_that_of_the_second_minus_the_first():
    assert paired_difference([0.0, 0.1], [1.0, 1.2]).low > 0 > paired_difference([1.0, 1.2], [0.0, 0.1]).high


def test_equal_values_give_an_interval_without_width():
    assert mean_interval([0.25] * 5) == Interval(0.25, 0.25, 0.25)
    assert paired_difference([1.0, 2.0, 3.0], [1.5, 2.5, 3.5]) == Interval(0.5, 0.5, 0.5)


def test_the_seed_decides_and_nothing_else_does():
    values = np.random.default_rng(2).random(12)
    first = mean_interval(values, seed=3)
    np.random.seed(9)
    assert mean_interval(values, seed=3) == first != mean_interval(values, seed=4)


def test_an_interval_reads_as_a_mean_and_its_ends():
    assert str(Interval(0.5, 0.25, 0.75)) == "0.5000 (0.2500 to 0.7500)"


@pytest.mark.parametrize(
    "a, b, quoted",
    [
        ([], [], "two|2 values or more.*not 0"),
        ([1.0], [2.0], "2 values or more.*not 1"),
        ([1.0, 2.0], [1.0, 2.0, 3.0], "2 scores cannot be paired with 3"),
        ([1.0, float("nan")], [1.0, 2.0], "1 of 2 scores are no finite numbers"),
    ],
)
def test_scores_that_give_no_interval_are_refused_with_the_fix(a, b, quoted):
    with pytest.raises(HRVError, match=quoted):
        paired_difference(a, b)


def test_a_confidence_in_per_cent_is_refused():
    with pytest.raises(HRVError, match="confidence is 95; it must lie between 0 and 1"):
        mean_interval([1.0, 2.0], confidence=95)
