"""Real ComfyUI, in this process, on the CPU."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from comfyui_hrv.tools.pack import use_comfyui

use_comfyui("--cpu")

import torch  # noqa: E402  after ComfyUI has read its options

torch.set_num_threads(1)  # tiny tensors: threads cost more than they bring, most of all on a busy machine


@pytest.fixture
def inference_mode() -> Iterator[None]:
    """ComfyUI runs every node in inference mode; weights loaded and tensors made in it differ from ordinary ones."""

    with torch.inference_mode():
        yield


@pytest.fixture(scope="module")
def trio() -> Any:
    """A tiny SD1.5, made for this file."""
    from comfyui_hrv.tests.nodes.tiny import tiny_trio

    with torch.inference_mode():
        return tiny_trio()


@pytest.fixture(scope="module")
def hrv(trio: Any) -> Any:
    """Random vectors of the concepts Color and Plants for `trio`."""
    from comfyui_hrv.tests.nodes.vectors import random_vectors

    return random_vectors(trio.model, "Color", "Plants")
