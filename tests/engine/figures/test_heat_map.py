"""Heat maps: the brightest cell is the most relevant head, and the labels are there."""

import csv
import io

import numpy as np
import pytest

from comfyui_hrv.tests.engine.examples import concept_set, random_counts, sd1_layout, sdxl_layout, small_layout
from hrv_engine.attention.heads import HeadLayout
from hrv_engine.errors import HRVError
from hrv_engine.figures.heat_map import INK, NO_HEAD, VIRIDIS, WHITE, colours, heat_table, heatmap
from hrv_engine.relevance.relevance import HeadRelevance
from hrv_engine.tables import as_csv

NAMES = ("Color", "Shape", "Size")


def hrv(layout: HeadLayout, top: int | None = None, names: tuple[str, ...] = NAMES) -> HeadRelevance:
    values = random_counts(1, len(names), layout.total).astype(np.float32)
    if top is not None:
        values[0, top] = 400
    return HeadRelevance(values, concept_set(*names), layout)


def cells(image: np.ndarray, colour: tuple[int, ...]) -> np.ndarray:
    return (image == np.array(colour, np.uint8)).all(axis=-1)


def block_at(mask: np.ndarray) -> tuple[int, int, int, int]:
    """(top, left, height, width) of the pixels set in a mask that is one full rectangle."""
    ys, xs = np.nonzero(mask)
    box = int(ys.min()), int(xs.min()), int(np.ptp(ys)) + 1, int(np.ptp(xs)) + 1
    assert mask.sum() == box[2] * box[3]
    return box


@pytest.mark.parametrize("layout", [sd1_layout(), sdxl_layout(), small_layout()], ids=lambda layout: layout.summary)
def test_the_brightest_cell_stands_in_the_row_of_its_layer_and_the_column_of_its_head(layout):
    brightest = tuple(int(c) for c in VIRIDIS[-1])
    boxes = {}
    for index in (0, layout.sites[0].heads - 1, layout.total // 2, layout.total - 1):
        image = heatmap(hrv(layout, index), ["Color"])
        mask = cells(image, brightest)
        mask[:, image.shape[1] - 74 :] = False  # the scale bar
        boxes[layout.locate(index)] = block_at(mask)
    height, width = boxes[1, 0][2:]
    for (layer, head), (y, x, *size) in boxes.items():
        assert size == [height, width]
        assert y == boxes[1, 0][0] + (layer - 1) * (height + 1)  # a line of paper between cells
        assert x == boxes[1, 0][1] + head * (width + 1)


def test_layers_with_fewer_heads_leave_their_places_empty():
    layout = small_layout()
    image = heatmap(hrv(layout), ["Color"])
    full = HeadLayout.from_json([["input", 1, 0, 4, 4], ["middle", 0, 0, 4, 4]])
    assert cells(image, NO_HEAD).sum() > 0 == cells(heatmap(hrv(full), ["Color"]), NO_HEAD).sum()


def test_more_concepts_make_a_bigger_sheet_of_equal_panels():
    layout = sd1_layout()
    one, three = heatmap(hrv(layout), ["Color"]), heatmap(hrv(layout), list(NAMES))
    assert three.shape[0] % one.shape[0] == three.shape[1] % one.shape[1] == 0
    assert three.size >= 3 * one.size
    assert (three[: one.shape[0], : one.shape[1]] == one).all()


def test_a_sheet_of_34_concepts_is_neither_a_column_nor_a_strip():
    names = tuple(f"Concept {number}" for number in range(34))
    height, width, channels = heatmap(hrv(sd1_layout(), names=names), list(names)).shape
    assert channels == 3 and 0.5 < width / height < 2


@pytest.mark.parametrize("layout", [sd1_layout(), sdxl_layout()], ids=lambda layout: layout.summary)
def test_title_layer_labels_head_numbers_and_scale_are_written_in_ink(layout):
    image = heatmap(hrv(layout), ["Color"])
    dark = (image < 140).all(axis=-1)
    top, left, height, width = block_at_cells(image)
    assert dark[:top].any(), "a title above"
    rows_labelled = dark[top : top + height, :left].any(axis=1)
    for layer in range(len(layout.sites)):
        cell = height // len(layout.sites)
        assert rows_labelled[layer * cell : (layer + 1) * cell].any(), f"a label beside layer {layer}"
    assert dark[top + height :, left : left + width].any(), "heads below"
    assert dark[:, left + width + 30 :].any(), "numbers beside the scale"
    assert not dark[:, -1].any() and not dark[:, 0].any(), "nothing is cut off"


def block_at_cells(image: np.ndarray) -> tuple[int, int, int, int]:
    """(top, left, height, width) of the coloured cells; everything else is grey, ink or paper."""
    colour = np.ptp(image.astype(int), axis=-1) > 20
    colour[:, image.shape[1] - 74 :] = False
    ys, xs = np.nonzero(colour)
    return int(ys.min()), int(xs.min()), int(np.ptp(ys)) + 2, int(np.ptp(xs)) + 2


def test_a_long_name_fits_over_a_narrow_model():
    narrow = HeadLayout.from_json([["input", 1, 0, 1, 4], ["output", 1, 0, 1, 4]])
    image = heatmap(
        hrv(narrow, names=("Fruits and Vegetables and so on", "Shape", "Size")), ["Fruits and Vegetables and so on"]
    )
    assert (image[:, -2:] == WHITE).all()
    assert cells(image[:40], INK).any()


def test_colours_run_from_dark_to_bright_through_the_anchors():
    anchors = colours(np.linspace(0, 1, len(VIRIDIS)))
    assert (anchors == VIRIDIS).all()
    ramp = colours(np.linspace(0, 1, 200)).astype(int) @ [299, 587, 114]  # luminance
    assert (np.diff(ramp) >= 0).all()
    assert (colours(np.array([-1.0, 2.0])) == colours(np.array([0.0, 1.0]))).all()


def test_a_concept_without_votes_and_an_unknown_one_have_no_heat_map():
    silent = hrv(small_layout())
    silent.values[1] = 0
    with pytest.raises(HRVError, match='"Shape" never won a vote'):
        heatmap(silent, ["Color", "Shape"])
    with pytest.raises(HRVError, match='Nearest: "Color"'):
        heatmap(silent, ["Colour"])


def test_the_table_has_the_number_of_every_cell_under_its_layer_and_head():
    layout = small_layout()
    drawn = hrv(layout, top=5)
    rows = list(csv.DictReader(io.StringIO(as_csv(heat_table(drawn, ["Color", "Size"])))))
    assert [float(row["relevance"]) for row in rows] == [*drawn.values[0], *drawn.values[2]]
    assert [row["concept"] for row in rows] == ["Color"] * 8 + ["Size"] * 8
    assert rows[5] == {
        "concept": "Color",
        "head": "5",
        "layer": "2",
        "head_in_layer": "3",
        "block": "middle 0.0",
        "relevance": "400",
    }
