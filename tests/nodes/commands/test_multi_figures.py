"""What `make figures-multi` counts of prompts with several objects, on a few images of the pocket model."""

from __future__ import annotations

from dataclasses import replace

import pytest

from comfyui_hrv.hrv_engine.benchmarks.several_objects import MultiPrompt
from comfyui_hrv.tools.figures import multi, multi_report

pytestmark = pytest.mark.usefixtures("inference_mode")
SEVERAL = MultiPrompt("a red cherry and a blue pear", ("cherry", "pear"), ("red", "blue"), ("Fruit", "Fruit"))


def test_several_objects_are_counted_under_every_method_from_the_same_noise():
    found = {method: multi.task(SEVERAL, method, settings, 7, 2) for method, settings in multi_report.METHODS.items()}
    for counts, image in found.values():
        assert counts["images"] == 2 and 0 <= counts["bound"] <= counts["present"] <= 2 and counts["seconds"] > 0
        assert image.shape == (32, 32, 3)
    images = [image for _, image in found.values()]
    assert all((a != b).any() for i, a in enumerate(images) for b in images[:i])


def test_what_is_counted_as_present_and_bound_is_what_a_plain_image_of_it_shows():
    single = MultiPrompt("a red cherry", ("cherry",), ("red",), ("Fruit",))
    counts, _ = multi.task(single, "plain", {}, 7, 8)
    assert counts["present"] >= 7 and counts["bound"] >= 6
    wrong = multi.task(replace(single, modifiers=("blue",)), "plain", {}, 7, 8)[0]
    assert wrong["present"] == counts["present"] and wrong["bound"] <= 1
