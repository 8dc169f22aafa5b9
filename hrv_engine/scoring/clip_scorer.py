"""CLIP image-text similarity through OpenCLIP (the `eval` extra): cosine of image and bare word (section 4.2)."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from pickle import UnpicklingError
from typing import Any
from zipfile import is_zipfile

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ..errors import HRVError, first_line, nearest
from ..optional import library
from ..remote.exchange import never
from .hub import NEWEST, Download, DownloadFailed

ARCHITECTURE, DOWNLOADED = "ViT-H-14", "laion2b_s32b_b79k"  # the paper's weights
DOWNLOAD = Download(
    "laion/CLIP-ViT-H-14-laion2B-s32B-b79K", "1c2b8495b28150b8a4922ee1c8edee224c284c0c",
    (("open_clip_model.safetensors", "0084e75319a50ad85ef45377bad5bc38f2f58824459eb690048d51c9f8863be5"),),
)  # fmt: skip
UNPINNED = f"@{NEWEST}"
PURPOSE = "The CLIP scorer"
PLAIN = ("{}",)  # the text as it is
AT_ONCE = 16  # images in one pass
_kept: dict[tuple[str, str, str, str], tuple[Any, Any, Any]] = {}


class CLIPScorer:
    """Cosine similarity of image and text, -1 to 1; `weights` is a file, or DOWNLOADED, the paper's, to fetch.

    OpenCLIP's name of other weights with @newest after it fetches what their repository holds then. They are loaded
    or fetched with the first score; a file is looked into at once. One model is kept at a time.
    templates: sentences around the text, "{}" in each, whose embeddings are averaged; see `imagenet_templates`.
    """

    name = "CLIP image-text similarity"

    def __init__(
        self, weights: Path | str, architecture: str = ARCHITECTURE, device: str = "cpu", precision: str = "fp32",
        templates: Sequence[str] = PLAIN, cancelled: Callable[[], None] = never,
    ) -> None:  # fmt: skip
        _check_architecture(architecture, isinstance(weights, Path))
        if isinstance(weights, Path):
            _check_file(weights)
        elif not weights.endswith(UNPINNED) and (weights, architecture) != (DOWNLOADED, ARCHITECTURE):
            raise HRVError(
                f'"{weights}" of {architecture} is neither a file here nor weights whose hash is known, which are'
                f" {DOWNLOADED} of {ARCHITECTURE} alone. Give a file; or, on the command line, {weights}{UNPINNED}, if"
                " you trust whatever their repository holds when they are fetched."
            )
        self.weights, self.architecture, self.device, self.precision = str(weights), architecture, device, precision
        self.templates, self.cancelled = tuple(templates), cancelled

    def score(self, images: Tensor, text: str) -> np.ndarray:
        """Scores float64 [images] of images float32 [images height width 3] in 0..1; raises HRVError for no text."""
        if not text.strip():
            raise HRVError("There is no word to score the images against. Type the word whose presence you ask for.")
        wanted = self.embed_prompt(text)
        model, preprocess, _ = self._loaded()
        kind = _open_clip().get_input_dtype(self.precision)  # fp16 keeps some weights at full precision
        with torch.no_grad():
            scores = []
            for part in images[..., :3].split(AT_ONCE):
                pixels = (part.clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy()
                batch = torch.stack([preprocess(Image.fromarray(image)) for image in pixels])
                seen = model.encode_image(batch.to(self.device, kind), normalize=True)
                scores.append((seen.float() @ wanted).cpu())
        return torch.cat(scores).double().numpy()

    def embed(self, texts: Sequence[str]) -> Tensor:
        """Unit vectors float32 [texts channels] of texts as they are."""
        model, _, tokenize = self._loaded()
        with torch.no_grad():
            return model.encode_text(tokenize(list(texts)).to(self.device), normalize=True).float()

    def _loaded(self) -> tuple[Any, Any, Any]:
        return _loaded(self.weights, self.architecture, self.device, self.precision, self.cancelled)

    def embed_prompt(self, text: str) -> Tensor:
        """Unit vector float32 [channels]: the mean over the templates with the text in them."""
        mean = self.embed([filled(template, text) for template in self.templates]).mean(0)
        return torch.nn.functional.normalize(mean, dim=-1)


def imagenet_templates() -> tuple[str, ...]:
    """OpenAI's 80 sentences around a class name, which Attend-and-Excite's metrics put around prompts."""
    return tuple(template("{}") for template in _open_clip().OPENAI_IMAGENET_TEMPLATES)


def filled(template: str, text: str) -> str:
    """A template with a text in it; the text's own article replaces the template's ("a photo of the" + "a cat")."""
    if re.match(r"(an?|the)\s", text, re.IGNORECASE):
        template = re.sub(r"\b(an?|the) \{\}", "{}", template)
    return template.replace("{}", text)


def _loaded(
    weights: str, architecture: str, device: str, precision: str, cancelled: Callable[[], None]
) -> tuple[Any, Any, Any]:
    """(model, preprocess, tokenizer), kept until another is asked for; raises HRVError if the weights do not fit."""
    wanted = (weights, architecture, device, precision)
    if wanted not in _kept:
        _kept.clear()  # before loading: two models of 4 GB need not fit
        try:
            model, preprocess = _open_clip().create_model_from_pretrained(
                architecture, pretrained=_pretrained(weights, cancelled), device=device, precision=precision
            )
        except (
            RuntimeError, ValueError, KeyError, AssertionError, OSError, UnpicklingError, DownloadFailed,
        ) as error:  # fmt: skip
            if isinstance(error, HRVError):
                raise
            raise HRVError(
                f"{weights} cannot be loaded as OpenCLIP {architecture}: {first_line(error)}. Set the architecture the"
                " file was trained with, or choose another file; a download needs a network."
            ) from error
        _kept[wanted] = (model.eval(), preprocess, _open_clip().get_tokenizer(architecture))
    return _kept[wanted]


def _pretrained(weights: str, cancelled: Callable[[], None]) -> str:
    """What OpenCLIP is told to load: a file, or its own name of weights whose newest state was wished for."""
    if weights == DOWNLOADED:
        return str(replace(DOWNLOAD, cancelled=cancelled).folder(PURPOSE) / DOWNLOAD.weights[0][0])
    return weights.removesuffix(UNPINNED)


def _open_clip() -> Any:
    return library("open_clip", "open-clip-torch", "eval", PURPOSE)


def _check_architecture(architecture: str, local: bool) -> None:
    """Raise HRVError for an architecture OpenCLIP does not know, or whose tokenizer a local file would not bring."""
    legal: Sequence[str] = _open_clip().list_models()
    if architecture not in legal:
        raise HRVError(
            f'OpenCLIP knows no architecture "{architecture}". Nearest: {nearest(architecture, legal)}. The paper'
            f" scores with {ARCHITECTURE}."
        )
    text = _open_clip().get_model_config(architecture).get("text_cfg", {})
    if local and (text.get("hf_tokenizer_name") or text.get("hf_model_name")):
        raise HRVError(
            f'The architecture "{architecture}" fetches its text encoder or tokenizer from the network, which a local'
            f" file is meant to avoid. Use one with CLIP's own tokenizer, such as {ARCHITECTURE}, ViT-L-14 or ViT-B-32."
        )


def _check_file(path: Path) -> None:
    """Raise HRVError for a file that is not there or not readable, or that visibly holds an image tower only."""
    if not path.is_file():
        raise HRVError(
            f"There is no file {path}. Put OpenCLIP weights of image and text, for instance"
            f" open_clip_model.safetensors of {ARCHITECTURE} ({DOWNLOADED}), into models/clip_vision."
        )
    keys = _keys(path)
    if not any("token_embedding" in key for key in keys):
        raise HRVError(
            f"{path.name} holds no text encoder (it may be the image encoder that IPAdapter uses), so an image cannot"
            " be compared with a word. Use full OpenCLIP weights such as open_clip_model.safetensors of"
            f" {ARCHITECTURE}."
        )
    if any(key.startswith("vision_model.") for key in keys):
        raise HRVError(
            f"{path.name} is a CLIP in the layout of transformers, which OpenCLIP does not read. Use the file"
            " open_clip_model.safetensors or open_clip_pytorch_model.bin of the same weights."
        )


def _keys(path: Path) -> list[str]:
    """Names of the tensors in a checkpoint, without reading the tensors; raises HRVError for a file that is none."""
    try:
        if path.suffix == ".safetensors":
            with safe_open(str(path), framework="numpy") as file:
                return list(file.keys())
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=is_zipfile(path))
        return [str(key) for key in state.get("state_dict", state)]
    except (SafetensorError, UnpicklingError, RuntimeError, EOFError, AttributeError) as error:
        raise HRVError(
            f"{path.name} is not a readable checkpoint ({first_line(error)}). Fetch it again; .safetensors, .bin and"
            " .pt files of plain tensors are read."
        ) from error
