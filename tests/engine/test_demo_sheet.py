"""The demo's before/after sheet, by its pixels."""

from __future__ import annotations

import numpy as np
from PIL import Image

from comfyui_hrv.tools.demo_sheet import RIGHT, WRONG, ZOOM, Block, draw_sheet


def block(misread: list[bool]) -> Block:
    image = Image.new("RGB", (32, 32), (10, 200, 10))
    rows = {label: [(image, wrong) for wrong in misread] for label in ("plain", "adjusted")}
    return Block("an orange square", "orange: Color, not Fruit", rows)


def count(sheet: Image.Image, colour: tuple[int, int, int]) -> int:
    return int((np.asarray(sheet) == colour).all(-1).sum())


def test_every_image_of_every_block_is_on_the_sheet():
    sheet = draw_sheet("heading", [block([True, False])] * 3)
    assert count(sheet, (10, 200, 10)) > 0.8 * 3 * 2 * 2 * (32 * ZOOM) ** 2


def test_misread_images_carry_the_cross_and_the_others_the_tick():
    all_right, all_wrong = (draw_sheet("heading", [block([wrong] * 4)]) for wrong in (False, True))
    assert count(all_wrong, WRONG) > 2 * count(all_right, WRONG) > 0  # the legend shows one of each
    assert count(all_right, RIGHT) > 2 * count(all_wrong, RIGHT) > 0
