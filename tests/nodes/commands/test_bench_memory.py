"""Bytes counted on meta tensors through the real code: saving memory saves it, an edit costs what its rows cost."""

from __future__ import annotations

import pytest
import torch

from comfyui_hrv.tests.benchmarks.memory import Subject, peak_of

from ..tiny import UNET, TinySD15


@pytest.fixture(scope="module")
def peaks(trio) -> dict[str, int]:
    with torch.inference_mode(False):
        subject = Subject(TinySD15(dict(UNET)), trio.clip, 16)
        assert subject.weights == sum(2 * one.numel() for one in trio.model.model.diffusion_model.parameters())
        return {name: peak_of(calls) for name, calls in subject.calls().items()}


@pytest.mark.parametrize("method", ["A&E", "A&E-HRV, all layers"])
def test_save_memory_saves_a_third_at_least(peaks, method):
    assert peaks["plain"] < peaks[f"{method}, save_memory"] < 0.67 * peaks[method]


@pytest.mark.parametrize("method", ["P2P", "P2P-HRV"])
def test_an_edit_takes_hardly_more_than_twice_the_rows_plain(peaks, method):
    assert peaks["plain"] < peaks[method] < 2.3 * peaks["plain"]
