"""Models that judge images: folders of transformers models in models/hrv_eval, and the device they run on."""

from dataclasses import replace
from pathlib import Path

import comfy.model_management
import folder_paths

from ...hrv_engine.errors import HRVError, nearest
from ...hrv_engine.scoring.hub import Download
from ...hrv_engine.scoring.pretrained import Kind, model_type

FOLDER = "hrv_eval"
DEPTH = 2  # folders below models/hrv_eval: <model> or <owner>/<model>


def model_menu(kind: Kind) -> list[str]:
    """Names for a menu: folders that hold a model of this kind, then the download, which is never the default."""
    return [*(model_folders(kind) or [_nothing(kind)]), download_entry(kind)]


def model_source(kind: Kind, name: str) -> Path | Download:
    """The folder of a menu entry, or a download that the user can cancel; raises HRVError with the nearest names."""
    if name == download_entry(kind):
        return replace(kind.download, cancelled=comfy.model_management.throw_exception_if_processing_interrupted)
    if name in (found := model_folders(kind)):
        return found[name]
    if name == _nothing(kind):
        raise HRVError(
            f"There is no {kind.title} in models/{FOLDER}. Put all files of {kind.download} ({kind.size:g} GB) into a"
            f' folder there and reload the page, or choose "{download_entry(kind)}" to fetch them.'
        )
    raise HRVError(
        f'There is no {kind.title} "{name}" in models/{FOLDER}. Nearest: {nearest(name, model_menu(kind))}. Reload the'
        " page to see new folders."
    )


def torch_device() -> str:
    """The device ComfyUI computes on."""
    return str(comfy.model_management.get_torch_device())


def half_precision() -> bool:
    """Whether large models run at half precision there."""
    return bool(comfy.model_management.should_use_fp16(comfy.model_management.get_torch_device()))


def model_folders(kind: Kind) -> dict[str, Path]:
    """Folders with a model of this kind by their name below models/hrv_eval; the first root wins."""
    found: dict[str, Path] = {}
    for root in map(Path, folder_paths.get_folder_paths(FOLDER)):
        for depth in range(1, DEPTH + 1):
            for config in sorted(root.glob("*/" * depth + "config.json")):
                if model_type(config.parent) in (kind.model_type, *kind.also):
                    found.setdefault(config.parent.relative_to(root).as_posix(), config.parent)
    return found


def _nothing(kind: Kind) -> str:
    return f"put {kind.title} into models/{FOLDER}"


def download_entry(kind: Kind) -> str:
    """The menu entry that fetches this kind of model."""
    return f"{kind.download} (download)"
