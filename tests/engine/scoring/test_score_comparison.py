"""Two tables of scores: pairs are pairs, means and intervals are those of intervals.py, and the figure shows them."""

import numpy as np
import pytest

from hrv_engine.errors import HRVError
from hrv_engine.figures.score_comparison import score_figure
from hrv_engine.scoring.intervals import mean_interval, paired_difference
from hrv_engine.scoring.score_comparison import ScoreComparison

NAMES = ("plain", "steered")


def rows(scores, **more) -> list[dict]:
    shared = {"word": "red", "scorer": "s", **more}
    return [{"image": number, "score": score, **shared} for number, score in enumerate(scores)]


def test_means_and_difference_are_the_bootstrap_of_the_pairs():
    draw = np.random.default_rng(0)
    a, b = draw.random(20), draw.random(20)
    found = ScoreComparison.of(rows(a), rows(b), NAMES, 0.9, seed=5)
    assert found.means == (mean_interval(a, 5, 0.9), mean_interval(b, 5, 0.9))
    assert found.difference == paired_difference(a, b, 5, 0.9)
    assert (found.scorer, found.word) == ("s", "red")


def test_the_text_says_which_is_higher_how_often_and_whether_that_shows_anything():
    better = ScoreComparison.of(rows([0.1, 0.2, 0.3, 0.4]), rows([0.5, 0.7, 0.6, 0.3]), NAMES).text().splitlines()
    assert better[0] == "s of red, 4 pairs" and better[1].startswith("plain: mean 0.2500 (")
    assert "steered − plain: 0.2750" in better[3] and "95 %" in better[3]
    assert better[4] == "steered is higher in 3 pairs, lower in 1"
    same = ScoreComparison.of(rows([0.1, 0.4]), rows([0.2, 0.3]), NAMES).text()
    assert "shows no difference" in same
    sure = ScoreComparison.of(rows([0.1, 0.2]), rows([0.4, 0.6]), NAMES).text()
    assert "shows a difference" in sure


@pytest.mark.parametrize(
    "first, second, quoted",
    [
        ([], rows([1.0]), '"plain" holds no scores'),
        (rows([1.0, 2.0]), [{"image": 0}, {"image": 1}], '"steered" holds no scores'),
        (rows([1.0, None]), rows([1.0, 2.0]), '"plain" holds the score None, which is no number'),
        (rows([1.0, 2.0]), rows(["abc", 2.0]), "\"steered\" holds the score 'abc'.*leave that row out of both"),
        (rows([1.0, 2.0]), rows([[1], 2.0]), r'"steered" holds the score \[1\]'),
        (rows([1.0, 2.0]), rows([1.0]), "2 scores cannot be paired with 1"),
        (rows([1.0, 2.0]), rows([1.0, 2.0], word="blue"), "Pair 1.*scored against different words .red and blue"),
        (rows([1.0, 2.0], seed=1), rows([1.0, 2.0], seed=2), "drawn from different seeds .1 and 2"),
        (rows([1.0]), rows([2.0]), "2 values or more.*not 1"),
    ],
)
def test_tables_that_do_not_pair_are_refused_with_the_fix(first, second, quoted):
    with pytest.raises(HRVError, match=quoted):
        ScoreComparison.of(first, second, NAMES)


def test_the_figure_depends_on_the_scores_and_the_title_and_on_nothing_else():
    found = ScoreComparison.of(rows([0.1, 0.2, 0.4]), rows([0.5, 0.4, 0.6]), NAMES)
    image = score_figure(found)
    assert image.dtype == np.uint8 and image.ndim == 3 and image.std() > 10
    np.testing.assert_array_equal(image, score_figure(found))
    np.testing.assert_array_equal(image, score_figure(found, "red"))  # the word is the title
    assert (image != score_figure(found, "blue")).any()
    other = ScoreComparison.of(rows([0.1, 0.2, 0.4]), rows([0.5, 0.4, 0.7]), NAMES)
    assert (image != score_figure(other)).any()
