"""A build without a server: ComfyUI is loaded into this process, a checkpoint into it, and one part is built."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from ...hrv_engine.benchmarks.prompts import PLAIN, PromptSet
from ...hrv_engine.errors import HRVError, nearest
from ...hrv_engine.pocket.model import MODELS
from ...hrv_engine.relevance.build_settings import BuildSettings, EffectSettings
from ...hrv_engine.relevance.concepts import ConceptSet
from ...hrv_engine.relevance.samples import SampleSet, Templates

POCKET = "pocket"  # in place of a checkpoint file: the model that comes with the pack


def use_comfyui(folder: str, *arguments: str) -> None:
    """Make the modules of the ComfyUI in `folder` importable in this process as its `main.py *arguments` would.

    Models, output and user folders are a temporary directory, removed at exit.
    """
    if not (Path(folder) / "comfy").is_dir():
        raise HRVError(f'"{folder}" is no ComfyUI: it has no folder comfy. Set COMFYUI_PATH to a ComfyUI on {_here()}.')
    base = tempfile.mkdtemp(prefix="comfyui-hrv-")
    atexit.register(shutil.rmtree, base, ignore_errors=True)
    sys.path.insert(0, folder)
    argv, sys.argv = sys.argv, ["main.py", "--base-directory", base, *arguments]
    try:
        import comfy.options

        comfy.options.enable_args_parsing()
        import comfy.cli_args  # noqa: F401  reads sys.argv now
    finally:
        sys.argv = argv


def build_part(job: Mapping[str, Any], start: int, count: int) -> bytes:
    """The vote file of one part of a build, as bytes.

    job: "comfyui" (its folder, where COMFYUI_PATH names none), "arguments" (of its command line), "checkpoint" (a file,
    or "pocket"), "concepts" and "prompts" (as JSON), "settings" (of BuildSettings), "zero_negative". By effect there
    are "samples" ("name" and "text" of templates, "rounds") in place of prompts. A process builds with one ComfyUI, and
    keeps the checkpoint for its next part. Raises HRVError as the building nodes do.
    """
    _comfyui(os.environ.get("COMFYUI_PATH") or job["comfyui"], tuple(job["arguments"]))
    import torch
    from comfy.samplers import KSampler

    from .build import build
    from .build_effect import build_by_effect

    for setting, legal in (("sampler_name", KSampler.SAMPLERS), ("scheduler", KSampler.SCHEDULERS)):
        given = job["settings"][setting]
        if given not in legal:
            raise HRVError(f'The {setting} "{given}" is unknown. Nearest: {nearest(given, legal)}.')
    with torch.inference_mode(), tempfile.TemporaryDirectory() as folder:
        model, clip = _checkpoint(job["checkpoint"])
        path = Path(folder) / "part.safetensors"
        concepts = ConceptSet.from_json(job["concepts"])
        negative = _zeros(clip) if job["zero_negative"] else None
        how = (negative, path, False, start, count)
        if asked := job.get("samples"):
            samples = SampleSet(concepts, Templates.parse(asked["text"], asked["name"]), asked["rounds"])
            build_by_effect(model, clip, samples, EffectSettings(**job["settings"]), *how)
        else:
            asked = job["prompts"]
            prompts = PromptSet(asked["name"], tuple(asked["prompts"]), asked.get("reading", PLAIN))
            build(model, clip, concepts, prompts, BuildSettings(**job["settings"]), *how)
        return path.read_bytes()


@lru_cache(maxsize=1)
def _comfyui(folder: str, arguments: tuple[str, ...]) -> None:
    if "comfy.cli_args" not in sys.modules:
        use_comfyui(folder, *arguments)


@lru_cache(maxsize=1)
def _checkpoint(name: str) -> tuple[Any, Any]:
    """MODEL and CLIP of a checkpoint file by the stock loader, or of the pocket model."""
    if name == POCKET:
        from .pocket import load_pocket

        return load_pocket(MODELS["squares"])[:2]
    if not Path(name).is_file():
        raise HRVError(f'There is no checkpoint "{name}" on {_here()}. Every machine needs it under this path.')
    import comfy.sd

    model, clip, *_ = comfy.sd.load_checkpoint_guess_config(name, output_vae=False)
    if model is None or clip is None:
        raise HRVError(f'"{name}" does not hold both a UNet and a text encoder. Give a whole checkpoint.')
    return model, clip


def _zeros(clip: Any) -> list:
    """The empty prompt through core's ConditioningZeroOut."""
    import nodes

    from .words import encode

    return nodes.ConditioningZeroOut().zero_out(encode(clip, ""))[0]


def _here() -> str:
    return f"the machine {os.uname().nodename}" if hasattr(os, "uname") else "this machine"
