"""The demo's before/after sheet, by its pixels; its conditions and its counting, without a server."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from comfyui_hrv.tools.demo import benchmark, lines
from comfyui_hrv.tools.demo_graphs import CHOOSING, SHOWN, SHUFFLED, draw_graph
from comfyui_hrv.tools.demo_sheet import RIGHT, WRONG, ZOOM, Row, draw_sheet

HEADS = {"plain": ("plain", "50 % misread"), "adjusted": ("adjusted", "0 % misread")}


def row(misread: list[bool]) -> Row:
    image = Image.new("RGB", (64, 64), (10, 200, 10))
    return Row("a coral boat", "coral: Color", {name: [(image, wrong) for wrong in misread] for name in HEADS})


def count(sheet: Image.Image, colour: tuple[int, int, int]) -> int:
    return int((np.asarray(sheet) == colour).all(-1).sum())


def test_every_image_of_every_row_is_on_the_sheet():
    sheet = draw_sheet("heading", HEADS, [row([True, False])] * 3)
    assert count(sheet, (10, 200, 10)) > 0.9 * 3 * 2 * 2 * (64 * ZOOM) ** 2


def test_misread_images_carry_the_cross_and_the_others_the_tick():
    all_right, all_wrong = (draw_sheet("heading", HEADS, [row([wrong] * 4)]) for wrong in (False, True))
    assert count(all_wrong, WRONG) > 2 * count(all_right, WRONG) > 0  # the legend shows one of each
    assert count(all_right, RIGHT) > 2 * count(all_wrong, RIGHT) > 0


def test_neighbours_on_the_sheet_are_of_different_words_and_every_prompt_is_there():
    for held_out, prompts in ((False, 25), (True, 20)):
        asked = benchmark(held_out)
        assert len({one["text"] for one in asked}) == len(asked) == prompts
        assert all(one["word"] != other["word"] for one, other in zip(asked, asked[1:], strict=False))
        assert len({one["noun"] for one in asked[:4]}) == 4
    assert not {one["word"] for one in benchmark(True)} & {one["word"] for one in benchmark(False)}


@pytest.mark.parametrize("conditions", [(*SHOWN, *SHUFFLED.values()), CHOOSING], ids=["the demo", "choosing"])
def test_every_condition_draws_from_the_same_noise_and_steers_the_word_as_it_says(conditions):
    asked = benchmark(held_out=False)[0]
    graph = draw_graph(asked, conditions, seed=7)
    samplers = [node["inputs"] for node in graph.values() if node["class_type"] == "KSampler"]
    assert len(samplers) == len(conditions) and {inputs["seed"] for inputs in samplers} == {7}
    for condition in conditions:
        if condition.node is None:
            assert graph[f"{condition.name} drawn"]["inputs"]["model"] == ["pocket", 0]
            continue
        steered = graph[f"{condition.name} steered"]["inputs"]
        assert (steered["word"], steered["clamp"]) == (asked["word"], condition.clamp)
        assert graph[f"{condition.name} vectors"]["inputs"]["file"] == condition.file


def test_the_lines_give_shares_with_intervals():
    measures = ("misread", "intended", "thing", "color", "noun")
    counted = {name: {"plain": [name == "misread"] * 8 + [False, True]} for name in measures}
    (line,) = lines(counted)
    assert line.startswith("plain ") and "misread  90.0 % (59.6 to 98.2, 10 images)" in line
    assert "asked meaning  10.0%" in line
