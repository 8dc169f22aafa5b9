"""Where CLIP weights for scoring lie, and on which device they run."""

from pathlib import Path

import comfy.model_management
import folder_paths

from ...hrv_engine.errors import HRVError, nearest
from ...hrv_engine.scoring.clip_scorer import DOWNLOADED, PLAIN, CLIPScorer, imagenet_templates

FOLDER = "clip_vision"
DOWNLOAD = f"{DOWNLOADED} (download)"
NOTHING = "put OpenCLIP weights into models/clip_vision"
WORDINGS = ("as typed", "80 sentences")


def weight_files() -> list[str]:
    """Names for a menu: files of the clip_vision folder, then the download, which is never the default."""
    return [*(folder_paths.get_filename_list(FOLDER) or [NOTHING]), DOWNLOAD]


def clip_scorer(name: str, architecture: str, wording: str = WORDINGS[0]) -> CLIPScorer:
    """The scorer of a menu entry on ComfyUI's device, at half precision on a GPU; raises HRVError."""
    if name == NOTHING:
        raise HRVError(
            f"There are no CLIP weights to score with. Put open_clip_model.safetensors of ViT-H-14 ({DOWNLOADED}, 4 GB)"
            f' into models/{FOLDER} and reload the page, or choose "{DOWNLOAD}" to fetch it.'
        )
    device = comfy.model_management.get_torch_device()
    precision = "fp16" if comfy.model_management.should_use_fp16(device) else "fp32"
    weights = DOWNLOADED if name == DOWNLOAD else _weights(name)
    templates = PLAIN if wording == WORDINGS[0] else imagenet_templates()
    cancelled = comfy.model_management.throw_exception_if_processing_interrupted
    return CLIPScorer(weights, architecture, str(device), precision, templates, cancelled)


def _weights(name: str) -> Path:
    found = folder_paths.get_full_path(FOLDER, name)
    if found is None:
        raise HRVError(
            f'There is no file "{name}" in models/{FOLDER}. Nearest: {nearest(name, weight_files())}. Reload the page'
            " to see new files."
        )
    return Path(found)
