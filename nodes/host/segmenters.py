"""What finds objects by words: CLIPSeg alone, or Grounding DINO and SAM 2 together, from models/hrv_eval."""

from ...hrv_engine.scoring.grounded_segments import GroundedSegmenter
from ...hrv_engine.scoring.pretrained import CLIPSEG, DETECTOR, SAM2
from ...hrv_engine.scoring.segments import Segmenter, WordSegmenter
from .eval_models import download_entry, model_folders, model_menu, model_source, torch_device

BOTH = " + "


def segmenter_menu() -> list[str]:
    """Names for a menu: CLIPSeg's, then every detector with every outliner, the downloads last."""
    *found, download = model_menu(CLIPSEG)
    pairs = [first + BOTH + second for first in model_folders(DETECTOR) for second in model_folders(SAM2)]
    found = [*(found if model_folders(CLIPSEG) else []), *pairs] or found
    return [*found, download, download_entry(DETECTOR) + BOTH + download_entry(SAM2)]


def segmenter(name: str, threshold: float) -> Segmenter:
    """The segmenter of a menu entry on ComfyUI's device; raises HRVError with the nearest names."""
    if BOTH in name:
        first, _, second = name.partition(BOTH)
        places = (model_source(DETECTOR, first), model_source(SAM2, second))
        return GroundedSegmenter(*places, torch_device(), threshold)
    return WordSegmenter(model_source(CLIPSEG, name), torch_device(), threshold=threshold)
