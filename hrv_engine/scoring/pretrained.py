"""Models of `transformers` (the `eval` extra), from a folder or fetched on request; one of each kind is kept."""

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

FINDING = "Finding objects by words"


@dataclass(frozen=True)
class Kind:
    """What a model is for, its type in config.json, its classes in transformers, the weights to fetch (size: GB)."""

    title: str
    purpose: str
    model_type: str
    model: str
    processor: str
    download: str
    size: float
    also: tuple[str, ...] = ()  # other types in config.json that hold such a model


BLIP2 = Kind(
    "BLIP-2", "Captioning", "blip-2", "Blip2ForConditionalGeneration", "Blip2Processor", "Salesforce/blip2-opt-2.7b", 15
)
DINOV2 = Kind("DINOv2", "BG-DINO", "dinov2", "Dinov2Model", "AutoImageProcessor", "facebook/dinov2-base", 0.35)
CLIPSEG = Kind(
    "CLIPSeg", FINDING, "clipseg", "CLIPSegForImageSegmentation", "CLIPSegProcessor",
    "CIDAS/clipseg-rd64-refined", 0.6,
)  # fmt: skip
DETECTOR = Kind(
    "Grounding DINO", FINDING, "grounding-dino", "GroundingDinoForObjectDetection", "GroundingDinoProcessor",
    "IDEA-Research/grounding-dino-base", 0.9,
)  # fmt: skip
SAM2 = Kind("SAM 2", FINDING, "sam2", "Sam2Model", "Sam2Processor", "facebook/sam2.1-hiera-large", 0.9, ("sam2_video",))
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


def loaded(kind: Kind, source: Path | str, device: str = "cpu", half: bool = False) -> tuple[Any, Any]:
    """(model, processor) of a folder (Path), or of a name on the Hugging Face hub (str), which is then downloaded.

    Nothing else uses the network. Raises HRVError for missing packages, files and tensors, and when offline.
    """
    wanted = (str(source), device, half)
    if kind.model_type in _kept and _kept[kind.model_type][0] == wanted:
        return _kept[kind.model_type][1:]
    _kept.pop(kind.model_type, None)  # before loading: two of them need not fit
    local = isinstance(source, Path)
    if isinstance(source, Path):
        check_folder(kind, source)
    transformers = library("transformers", "transformers", "eval", kind.purpose)
    try:
        model, report = getattr(transformers, kind.model).from_pretrained(
            str(source), local_files_only=local, dtype=precision(half), output_loading_info=True
        )
        processor = getattr(transformers, kind.processor).from_pretrained(str(source), local_files_only=local)
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
