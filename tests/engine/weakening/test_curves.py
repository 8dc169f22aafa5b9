"""Weakening curves: means over seeds and prompts, bands, areas, and what the figure shows."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest

from hrv_engine.errors import HRVError
from hrv_engine.figures.curves import curves_figure, score_limits
from hrv_engine.figures.plots import PALETTE
from hrv_engine.tables import as_csv
from hrv_engine.weakening.curves import WeakeningResult
from hrv_engine.weakening.scored_rows import read_rows, scored_images, with_scores, write_rows

K = (0, 1, 11, 21, 31, 41, 51, 61, 71, 81, 91, 101, 111, 121, 128)
PUBLISHED = {  # Image Style on SD1.4: mean OpenCLIP cosine of 150 images a point, as the authors published it
    "MoRHF": (
        0.2353, 0.2337, 0.1768, 0.1632, 0.1555, 0.1514, 0.1326, 0.1289, 0.1273, 0.1308, 0.1305, 0.1265, 0.1221, 0.1281,
        0.1268,
    ),
    "LeRHF": (
        0.2353, 0.2347, 0.2338, 0.2305, 0.2294, 0.2345, 0.2336, 0.2322, 0.2283, 0.2313, 0.2200, 0.2039, 0.1882, 0.1548,
        0.1268,
    ),
}  # fmt: skip


def row(order="MoRHF", heads=0, score=1.0, prompt="a red car", seed=1, factor=-2.0, total=8) -> dict:
    return {
        "order": order, "heads": heads, "factor": factor, "seed": seed, "prompt": prompt, "word": "red",
        "score": score, "total": total,
    }  # fmt: skip


def noisy(prompts: int, orders=("MoRHF", "LeRHF", "random 1", "random 1 reversed"), factors=(-2.0,)) -> list[dict]:
    random = np.random.default_rng(0)
    fall = {"MoRHF": 0.9, "LeRHF": 0.1}
    return [
        row(order, k, 1 - fall.get(order, 0.5) * k / 8 + 0.05 * random.standard_normal(), f"prompt {p}", 1, factor)
        for factor in factors
        for order in orders
        for p in range(prompts)
        for k in (0, 2, 4, 8)
    ]


def test_the_published_score_table_gives_the_published_area():
    rows = [
        row(order, k, score, total=128)
        for order, scores in PUBLISHED.items()
        for k, score in zip(K, scores, strict=True)
    ]
    result = WeakeningResult.of(rows)
    assert result.areas(-2.0)["hrv"] == pytest.approx(9.433 / 128, abs=1e-4)
    assert result.base_score() == pytest.approx(0.2353)
    assert "+0.0737" in result.text() and "+9.433" in result.text()


def test_scores_are_averaged_over_the_seeds_of_a_prompt_before_the_prompts():
    rows = [row(score=1.0, seed=1), row(score=0.0, seed=2), row(score=0.8, prompt="a red bus")]
    rows += [row(heads=8, score=0.2), row(heads=8, score=0.0, prompt="a red bus")]
    curve = WeakeningResult.of(rows).curves[0]
    assert curve.scores == pytest.approx([(0.5 + 0.8) / 2, 0.1])
    assert curve.low is None


def test_the_band_holds_the_mean_and_narrows_with_more_prompts():
    few, many = WeakeningResult.of(noisy(4)).curves[0], WeakeningResult.of(noisy(64)).curves[0]
    for curve in (few, many):
        assert (curve.low <= curve.scores).all() and (curve.scores <= curve.high).all()
    assert (many.high - many.low).mean() < 0.5 * (few.high - few.low).mean()
    wide, narrow = (WeakeningResult.of(noisy(8), level).curves[0] for level in (0.99, 0.5))
    assert ((wide.high - wide.low) > (narrow.high - narrow.low)).all()


def test_areas_compare_each_order_with_its_reverse():
    result = WeakeningResult.of(noisy(16))
    areas = result.areas(-2.0)
    assert set(areas) == {"hrv", "random 1"}
    assert areas["hrv"] == pytest.approx(0.4, abs=0.05) and abs(areas["random 1"]) < 0.05
    assert set(WeakeningResult.of(noisy(3, orders=("MoRHF", "random 1"))).areas(-2.0)) == set()


def test_the_table_reads_back_to_the_curves():
    result = WeakeningResult.of(noisy(5, factors=(-2.0, -1.0)))
    lines = list(csv.DictReader(io.StringIO(as_csv(result.table()))))
    assert len(lines) == 2 * 4 * 4
    assert float(lines[5]["score"]) == pytest.approx(result.curves[1].scores[1], rel=1e-5)
    assert {line["factor"] for line in lines} == {"-2", "-1"}


def test_without_plain_images_there_is_no_plain_score():
    result = WeakeningResult.of([one for one in noisy(3) if one["heads"]])
    assert np.isnan(result.base_score()) and "plain" not in result.text()


def test_panels_share_limits_that_hold_every_line_and_band():
    result = WeakeningResult.of(noisy(5, factors=(-2.0, -1.0)))
    low, high = score_limits(result)
    assert all(low < curve.low.min() and curve.high.max() < high for curve in result.curves)


def test_the_figure_draws_both_orders_in_their_colours_and_one_panel_a_factor():
    one = curves_figure(WeakeningResult.of(noisy(5)), "Color")
    two = curves_figure(WeakeningResult.of(noisy(5, factors=(-2.0, -1.0))), "Color")
    for colour in PALETTE[:2]:
        rgb = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
        assert (np.abs(one.astype(int) - rgb).max(-1) < 12).sum() > 200
    assert two.shape[1] > 1.5 * one.shape[1]


@pytest.mark.parametrize(
    "rows, quoted",
    [
        ([], "table is empty"),
        ([{"order": "MoRHF", "heads": 0}], "no scores"),
        ([{"word": "red", "score": 1.0}], "lack order, heads"),
        ([row(), row("LeRHF")], "two or more numbers of heads"),
        ([row(), row(heads=8), row("LeRHF"), row("LeRHF", 4)], "MoRHF: .0, 8.; LeRHF: .0, 4."),
        ([row(), row(heads=8), row(prompt="other")], "some prompts"),
        ([row(), row(heads=8, total=9)], "different numbers of heads .8, 9."),
        ([{**row(), "concept": "Color"}, {**row(heads=8), "concept": "Shape"}], "different concepts .Color, Shape."),
        ([{**row(), "scorer": "a"}, {**row(heads=8), "scorer": "b"}], "scores of different kinds"),
        ([{**row(), "score": "high"}], "no number where one is needed: .*'high'"),
    ],
)
def test_rows_without_a_curve_are_refused_with_the_fix(rows, quoted):
    with pytest.raises(HRVError, match=quoted):
        WeakeningResult.of(rows)


def test_a_confidence_that_is_no_probability_is_refused():
    with pytest.raises(HRVError, match="confidence = 1.0"):
        WeakeningResult.of(noisy(3), 1.0)


def test_scores_join_the_rows_of_the_sweep():
    table = "\n".join(json.dumps({"heads": k}) for k in (0, 8))
    rows = with_scores(table, "red", np.array([0.5, 0.25]), "cosine")
    assert rows == [
        {"heads": 0, "word": "red", "score": 0.5, "scorer": "cosine"},
        {"heads": 8, "word": "red", "score": 0.25, "scorer": "cosine"},
    ]
    assert read_rows(write_rows(rows)) == rows
    assert [one["image"] for one in with_scores("", "red", np.zeros(2))] == [0, 1]
    separated = [{"prompt": "a red cat\u2028at night\x85"}]  # line separators inside JSON end no line
    assert read_rows(write_rows(separated)) == separated
    with pytest.raises(HRVError, match="3 images but 2 lines"):
        with_scores(table, "red", np.zeros(3))
    with pytest.raises(HRVError, match='"order,heads" is no line'):
        read_rows("order,heads")


ROW = {"order": "hrv", "heads": 3, "factor": -2.0, "seed": 1, "prompt": "a cat", "total": 8, "score": 0.5}


@pytest.mark.parametrize(
    "change",
    [{"heads": -1}, {"heads": 9}, {"total": 0, "heads": 0}, {"score": "NaN"}, {"score": "1e999"}, {"factor": "inf"}]
    + [{"score": [1]}, {"heads": None}, {"total": "many"}],
)
def test_rows_that_no_sweep_writes_are_refused(change):
    assert scored_images([ROW])[0].score == 0.5
    with pytest.raises(HRVError, match="A row holds no number where one is needed"):
        scored_images([{**ROW, **change}])


@pytest.mark.parametrize(
    "line", ["[" * 100_000, '{"score": NaN}', '{"score": 1e999}', '{"seed": ' + "9" * 5000 + "}", "5"]
)
def test_lines_that_are_no_rows_are_quoted_shortly(line):
    with pytest.raises(HRVError, match="is no line of a table of images") as error:
        read_rows(line)
    assert len(str(error.value)) < 300
