"""What a browser is told about the heads of a figure."""

import json

import numpy as np
import pytest

from comfyui_hrv.tests.engine.examples import concept_set, random_counts, sd1_layout, sdxl_layout
from hrv_engine.figures.cells import head_tips
from hrv_engine.figures.head_concepts import concept_grid, grid_cells
from hrv_engine.figures.heat_map import VIRIDIS, corners, heat_panels, panel_cells, side_by_side
from hrv_engine.relevance.relevance import HeadRelevance

NAMES = ("Color", "Shape", "Size", "Scene")


def vectors(layout, head: int) -> HeadRelevance:
    """Random ones, in which one head carries Shape most."""
    values = random_counts(1, len(NAMES), layout.total).astype(np.float32)
    values[1, head] = 400
    return HeadRelevance(values, concept_set(*NAMES), layout)


@pytest.mark.parametrize("layout", [sd1_layout(), sdxl_layout()], ids=lambda layout: layout.summary)
def test_the_place_told_for_a_head_is_the_cell_that_is_brightest_in_the_second_panel(layout):
    head = layout.total - 3
    hrv = vectors(layout, head)
    panels = heat_panels(hrv, ["Color", "Shape"])
    layer, column = layout.locate(head)
    told = head_tips(hrv, (0, 0), [panel_cells(layout).moved(*corner) for corner in corners(panels)])["panels"][1]
    x, y = (int(told[i] + (place + 0.5) * told[2 + i]) for i, place in enumerate((column, layer - 1)))
    assert tuple(side_by_side(panels)[y, x]) == tuple(VIRIDIS[-1].astype(int))


def test_the_cells_of_the_grid_of_concepts_begin_at_its_first_head():
    layout = sd1_layout()
    image, cells = concept_grid(vectors(layout, 0)), grid_cells(layout)
    left, top, right, bottom = cells.box(0, 0)
    assert len(np.unique(image[top + 1, left + 1 : right - 1], axis=0)) == 1  # inside the cell, above its letters
    assert (image[top - 3, left] == 255).all() and (image[top + 3, left - 3] == 255).all()


def test_every_head_is_told_with_its_three_strongest_concepts_in_little_text():
    layout = sdxl_layout()
    hrv = vectors(layout, 7)
    tips = head_tips(hrv, (640, 480), [])
    assert len(tips["heads"]) == layout.total == sum(heads for _, heads in tips["sites"])
    assert tips["heads"][7][:2] == [1, 400.0] and all(len(carried) == 6 for carried in tips["heads"])
    assert len(json.dumps(tips)) < 50 * layout.total
