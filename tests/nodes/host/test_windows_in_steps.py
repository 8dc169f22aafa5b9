"""Windows in percent of the sampling against windows in steps: what tooltips and help say about them."""

from __future__ import annotations

import comfy.samplers
import pytest

from comfyui_hrv.hrv_engine.editing.paired_edit import StepWindow
from comfyui_hrv.nodes.host.steps import in_window

STEPS = 50


def steps_of(trio, scheduler: str, start: float, end: float) -> list[int]:
    sampling = trio.model.model.model_sampling
    sigmas = comfy.samplers.calculate_sigmas(sampling, scheduler, STEPS)[:-1].tolist()
    return [step for step, sigma in enumerate(sigmas) if in_window(sampling, sigma, start, end)]


@pytest.mark.parametrize("start, end", [(0.0, 0.4), (0.2, 0.8), (0.1, 0.3), (0.0, 0.9), (0.5, 1.0)])
def test_with_ddim_uniform_percent_are_the_steps_of_the_authors_windows(trio, start, end):
    window = StepWindow(start, end)
    assert steps_of(trio, "ddim_uniform", start, end) == [step for step in range(STEPS) if window.holds(step, STEPS)]


def test_other_schedulers_place_their_steps_elsewhere(trio):
    assert steps_of(trio, "karras", 0.2, 0.8) != steps_of(trio, "ddim_uniform", 0.2, 0.8) == list(range(10, 40))
