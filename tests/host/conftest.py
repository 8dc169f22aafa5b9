"""Real ComfyUI, in this process, on the CPU."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from comfyui_hrv.tools.pack import use_comfyui

use_comfyui("--cpu")


@pytest.fixture
def inference_mode() -> Iterator[None]:
    """ComfyUI runs every node in inference mode; weights loaded and tensors made in it differ from ordinary ones."""
    import torch

    with torch.inference_mode():
        yield
