"""Matrices as figures: colours and numbers stand in the cells they belong to, and every label is there."""

from __future__ import annotations

import numpy as np
import pytest

from hrv_engine.figures.heat_map import VIRIDIS, colours
from hrv_engine.figures.matrix import MARGIN, cell_size, matrix_figure, sparse_labels


def symmetric(size: int, seed: int = 1) -> np.ndarray:
    values = np.random.default_rng(seed).random((size, size)) * 0.8
    values = (values + values.T) / 2
    np.fill_diagonal(values, 1)
    return values


def corner(image: np.ndarray) -> tuple[int, int]:
    """(x, y) of the matrix' first cell, whose colour is the brightest (the diagonal)."""
    bright = (image == VIRIDIS[-1].astype(np.uint8)).all(axis=-1)
    ys, xs = np.nonzero(bright)
    return int(xs.min()), int(ys.min())


def cell_colours(image: np.ndarray, size: int) -> np.ndarray:
    """The colour at each cell's upper left corner, where no number is written: [size size 3]."""
    (x, y), cell = corner(image), cell_size(size)
    return image[y + 1 : y + size * cell : cell, x + 1 : x + size * cell : cell]


@pytest.mark.parametrize("size", [2, 12, 34, 50])
def test_every_cell_has_the_colour_of_its_value_between_the_smallest_and_the_largest(size):
    values = symmetric(size)
    shown = cell_colours(matrix_figure(values, [f"n{i}" for i in range(size)], "Title"), size)
    assert (shown == colours((values - values.min()) / (1 - values.min()))).all()


def test_the_brightest_cell_off_the_diagonal_is_the_pair_with_the_largest_value():
    values = symmetric(20)
    values[3, 11] = values[11, 3] = 0.97
    light = cell_colours(matrix_figure(values, ["name"] * 20, "Title"), 20) @ np.array([0.299, 0.587, 0.114])
    np.fill_diagonal(light, 0)
    assert set(zip(*np.unravel_index(np.argsort(light, axis=None)[-2:], light.shape), strict=True)) == {
        (3, 11),
        (11, 3),
    }


@pytest.mark.parametrize("size, numbered", [(16, True), (17, False)])
def test_numbers_are_written_into_the_cells_of_a_small_matrix_only(size, numbered):
    values = symmetric(size)
    image, cell = matrix_figure(values, ["name"] * size, "Title"), cell_size(size)
    x, y = corner(image)
    inside = image[y : y + size * cell, x : x + size * cell].reshape(size, cell, size, cell, 3)
    written = (inside != cell_colours(image, size)[:, None, :, None]).any(axis=(1, 3, 4))
    assert written.all() if numbered else not written.any()


def test_every_row_and_column_has_its_label_and_nothing_is_cut_off():
    size = 34
    image = matrix_figure(symmetric(size), [f"A long concept name {i}" for i in range(size)], "Title")
    dark, (x, y), cell = (image < 140).all(axis=-1), corner(image), cell_size(34)
    beside, below = dark[y : y + size * cell, :x], dark[y + size * cell :, x : x + size * cell]
    assert beside.reshape(size, cell, x).any(axis=(1, 2)).all()
    assert below.reshape(len(below), size, cell).any(axis=(0, 2)).all()
    assert not dark[:, : MARGIN - 2].any() and not dark[:, -2:].any() and not dark[-2:].any()
    assert dark[: y - 4].any(), "a title above"


@pytest.mark.parametrize("count, written", [(5, 5), (12, 12), (20, 10), (50, 10), (51, 11), (1000, 10)])
def test_many_steps_are_labelled_sparsely_and_truly(count, written):
    labels = sparse_labels(count)
    assert len(labels) == count and sum(map(bool, labels)) == written
    assert all(label in ("", str(number)) for number, label in enumerate(labels)) and labels[0] == "0"
