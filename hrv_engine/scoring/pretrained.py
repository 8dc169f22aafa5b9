"""Models of `transformers` (the `eval` extra), from a folder or fetched on request; one of each kind is kept.

Weights are read as tensors only: no pickled object and no code of a model's author is run.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor

from ..errors import HRVError, first_line
from ..optional import library
from .hub import Download, DownloadFailed

FINDING = "Finding objects by words"


@dataclass(frozen=True)
class Kind:
    """What a model is for, its type in config.json, its classes in transformers, what to fetch (size: GB)."""

    title: str
    purpose: str
    model_type: str
    model: str
    processor: str
    download: Download
    size: float
    also: tuple[str, ...] = ()  # other types in config.json that hold such a model


BLIP2 = Kind(
    "BLIP-2", "Captioning", "blip-2", "Blip2ForConditionalGeneration", "Blip2Processor",
    Download("Salesforce/blip2-opt-2.7b", "59a1ef6c1e5117b3f65523d1c6066825bcf315e3", (
        ("model-00001-of-00002.safetensors", "b81228c9ac1b3dee1731ee71d51fe3b2c34f915019c44c25a793b51300ae24fc"),
        ("model-00002-of-00002.safetensors", "536bd73b8f1de7d94f503b23fea2eaa4f7f3ea5f74f8f874fcb21d6df1555a19"),
    )), 15,
)  # fmt: skip
DINOV2 = Kind(
    "DINOv2", "BG-DINO", "dinov2", "Dinov2Model", "AutoImageProcessor",
    Download("facebook/dinov2-base", "f9e44c814b77203eaa57a6bdbbd535f21ede1415", (
        ("model.safetensors", "d73036b56966966d07975d696bde331762f37297e2f095de8cea0040c3aa0841"),
    )), 0.35,
)  # fmt: skip
CLIPSEG = Kind(
    "CLIPSeg", FINDING, "clipseg", "CLIPSegForImageSegmentation", "CLIPSegProcessor",
    Download("CIDAS/clipseg-rd64-refined", "999e0328d9e10b484360c477313983f9afdd7050", (
        ("model.safetensors", "d00ca85d6b859f9d07b7cfb8ef26fe9771cb275b34c9368f2ecf603139307f55"),
    )), 0.6,
)  # fmt: skip
DETECTOR = Kind(
    "Grounding DINO", FINDING, "grounding-dino", "GroundingDinoForObjectDetection", "GroundingDinoProcessor",
    Download("IDEA-Research/grounding-dino-base", "12bdfa3120f3e7ec7b434d90674b3396eccf88eb", (
        ("model.safetensors", "5548f844c928c4b6f411fa8cbcc2bfa8dbbba437cb1d513975519f93c2a9ed21"),
    )), 0.9,
)  # fmt: skip
SAM2 = Kind(
    "SAM 2", FINDING, "sam2", "Sam2Model", "Sam2Processor",
    Download("facebook/sam2.1-hiera-large", "665f8e2ad61cf5f53d65644ff27c8ee525124610", (
        ("model.safetensors", "dc407dce21301fd94abb395c5099b4f2c455fdc8a8f261ac3d0ea6d4cd197230"),
    )), 0.9, ("sam2_video",),
)  # fmt: skip
_kept: dict[str, tuple[tuple[str, str, bool], Any, Any]] = {}  # model_type -> (what is loaded, model, processor)


def model_type(folder: Path) -> str | None:
    """The type that a model folder's config.json names, None if it is no model folder."""
    try:
        return json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type")
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, AttributeError):
        return None


def check_folder(kind: Kind, folder: Path) -> None:
    """Raise HRVError unless the folder holds a model of this kind."""
    actual = model_type(folder)
    if actual not in (kind.model_type, *kind.also):
        what = f"holds a model of type {actual}" if actual else "holds no config.json of a model"
        raise HRVError(
            f"{folder} {what}, but {kind.purpose} needs {kind.title} (type {kind.model_type}). Put all files of"
            f" {kind.download} (config, weights, preprocessor, any tokenizer) into a folder of their own."
        )


def loaded(kind: Kind, source: Path | Download, device: str = "cpu", half: bool = False) -> tuple[Any, Any]:
    """(model, processor) of a folder, or of a download, which is then fetched; nothing else uses the network.

    Raises HRVError for missing packages, files and tensors, for other hashes than are known, and when offline.
    """
    wanted = (source.key if isinstance(source, Download) else str(source), device, half)
    if kind.model_type in _kept and _kept[kind.model_type][0] == wanted:
        return _kept[kind.model_type][1:]
    _kept.pop(kind.model_type, None)  # before loading: two of them need not fit
    local = isinstance(source, Path)
    transformers = library("transformers", "transformers", "eval", kind.purpose)
    try:
        folder = source if isinstance(source, Path) else source.folder(kind.purpose)
    except DownloadFailed as error:
        raise HRVError(f"{source} cannot be loaded as {kind.title}: {error}. {_advice(kind, local)}") from error
    check_folder(kind, folder)
    try:
        model, report = getattr(transformers, kind.model).from_pretrained(
            str(folder), local_files_only=True, trust_remote_code=False, weights_only=True,
            use_safetensors=None if local else True, dtype=precision(half), output_loading_info=True,
        )  # fmt: skip
        processor = getattr(transformers, kind.processor).from_pretrained(
            str(folder), local_files_only=True, trust_remote_code=False
        )
    except (
        OSError, ValueError, TypeError, KeyError, AttributeError, RuntimeError, ImportError, SafetensorError,
        UnpicklingError,
    ) as error:  # fmt: skip
        raise HRVError(
            f"{source} cannot be loaded as {kind.title}: {first_line(error)}. {_advice(kind, local)}"
        ) from error
    if report["missing_keys"]:
        missing = sorted(report["missing_keys"])
        raise HRVError(
            f"{source} lacks {len(missing)} tensors of {kind.title}, among them {missing[0]}. {_advice(kind, local)}"
        )
    _kept[kind.model_type] = (wanted, model.to(device).eval(), processor)
    return _kept[kind.model_type][1:]


def precision(half: bool) -> torch.dtype:
    """The type of most weights and of images; parts that transformers keeps whole stay so."""
    return torch.float16 if half else torch.float32


def as_bytes(images: Tensor) -> Tensor:
    """Images as uint8 [images 3 height width], what processors of transformers take."""
    return (images.clamp(0, 1) * 255).round().to(torch.uint8).cpu().movedim(-1, 1)


def _advice(kind: Kind, local: bool) -> str:
    if local:
        return f"Fetch all files of {kind.download} again into that folder."
    return f"A download of {kind.size:g} GB needs a network; or put the files of {kind.download} into a folder."
