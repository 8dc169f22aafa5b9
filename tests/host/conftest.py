"""Real ComfyUI, in this process, on the CPU."""

from __future__ import annotations

from collections.abc import Iterator

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
