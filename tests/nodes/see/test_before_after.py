"""HRV Before After, and pictures on nodes where no server shows them."""

from __future__ import annotations

from pathlib import Path

import folder_paths
import pytest
import torch

from comfyui_hrv.hrv_engine.errors import HRVError
from comfyui_hrv.nodes.host.node_pictures import pictured
from comfyui_hrv.nodes.see.before_after import HRVBeforeAfter


def test_each_image_is_beside_itself_before_and_after():
    before, after = torch.rand(2, 4, 6, 3), torch.rand(2, 4, 6, 3)
    both = HRVBeforeAfter.execute(before, after).args[0]
    assert torch.equal(both[:, :, :6], before) and torch.equal(both[:, :, 6:], after)


def test_images_that_cannot_lie_one_over_the_other_are_refused_with_both_sizes():
    with pytest.raises(HRVError) as refusal:
        HRVBeforeAfter.execute(torch.rand(2, 4, 6, 3), torch.rand(1, 8, 6, 3))
    for part in ("2 images of 6 x 4", "1 image of 6 x 8", "Upscale Image"):
        assert part in str(refusal.value)


def test_no_images_are_refused():
    with pytest.raises(HRVError, match="have no images"):
        HRVBeforeAfter.execute(torch.rand(0, 4, 6, 3), torch.rand(0, 4, 6, 3))
    with pytest.raises(HRVError, match="0 images of 6 x 4"):
        HRVBeforeAfter.execute(torch.rand(0, 4, 6, 3), torch.rand(1, 4, 6, 3))


def test_without_a_server_a_picture_is_no_file_and_what_comes_with_it_is_not_made(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(folder_paths, "temp_directory", str(tmp_path))
    shown = pictured(torch.rand(1, 4, 4, 3), "a text", extra=lambda: pytest.fail("made for nobody"))
    assert dict(shown) == {"text": ("a text",)} and list(tmp_path.iterdir()) == []
