"""Grounding DINO and SAM 2, tiny and of the real classes: masks are what transformers' own calls give."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from comfyui_hrv.tests import tiny_eval
from hrv_engine.errors import HRVError
from hrv_engine.scoring.grounded_segments import AT_ONCE, GroundedSegmenter


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> tuple[Path, Path]:
    """A tiny detector and a tiny outliner as model folders."""
    root = tmp_path_factory.mktemp("models")
    return tiny_eval.save_grounding_dino(root / "detector"), tiny_eval.save_sam2(root / "sam")


def pictures(count: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, 40, 56, 3, generator=torch.Generator().manual_seed(seed))


def test_masks_are_the_union_of_sams_outlines_in_the_detectors_boxes(folders):
    from transformers import GroundingDinoForObjectDetection, GroundingDinoProcessor, Sam2Model, Sam2Processor

    images = pictures(AT_ONCE + 1)
    found = GroundedSegmenter(*folders, threshold=0.5).masks(images, "Car, bowl")
    assert found.shape == (AT_ONCE + 1, 40, 56) and found.dtype == torch.float32 and 0 < found.mean() < 1
    detector = GroundingDinoForObjectDetection.from_pretrained(folders[0]).eval()
    outliner = Sam2Model.from_pretrained(folders[1]).eval()
    sees, cuts = GroundingDinoProcessor.from_pretrained(folders[0]), Sam2Processor.from_pretrained(folders[1])
    for image, mask in zip(images, found, strict=True):
        picture = (image * 255).round().byte().numpy()
        given = sees(images=picture, text="car. bowl.", return_tensors="pt")
        with torch.no_grad():
            seen = detector(**given)
        sizes = [(40, 56)]
        (hits,) = sees.post_process_grounded_object_detection(
            seen, given["input_ids"], threshold=0.5, target_sizes=sizes
        )
        expected = torch.zeros(40, 56)
        for box in hits["boxes"].tolist():
            asked = cuts(images=picture, input_boxes=[[box]], return_tensors="pt")
            with torch.no_grad():
                outlines = outliner(**asked, multimask_output=False).pred_masks
            (one,) = cuts.post_process_masks(outlines, asked["original_sizes"])
            expected = torch.maximum(expected, one[0, 0].float())
        assert (mask != expected).float().mean() < 0.01, "another outline than that of transformers itself"


def test_where_nothing_is_found_the_mask_is_empty(folders):
    assert GroundedSegmenter(*folders, threshold=1.0).masks(pictures(2), "car").sum() == 0


def test_sam_weights_that_were_saved_for_videos_are_taken_too(folders, tmp_path):
    video = Path(shutil.copytree(folders[1], tmp_path / "video"))
    config = json.loads((video / "config.json").read_text())
    (video / "config.json").write_text(json.dumps({**config, "model_type": "sam2_video"}))
    images = pictures(1)
    expected = GroundedSegmenter(*folders, threshold=0.5).masks(images, "car")
    assert torch.equal(GroundedSegmenter(folders[0], video, threshold=0.5).masks(images, "car"), expected)


def test_masks_need_a_word_and_models_of_the_right_kind(folders):
    with pytest.raises(HRVError, match="no word for the object"):
        GroundedSegmenter(*folders).masks(pictures(1), " , ")
    with pytest.raises(HRVError, match="holds a model of type sam2, but Finding objects by words needs Grounding DINO"):
        GroundedSegmenter(folders[1], folders[1])
    with pytest.raises(HRVError, match="holds a model of type grounding-dino, but Finding.*needs SAM 2 .type sam2"):
        GroundedSegmenter(folders[0], folders[0])
