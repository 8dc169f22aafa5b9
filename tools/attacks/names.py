"""Names of HRV files as people type them: a file inside the folder, or one sentence."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import folder_paths

from comfyui_hrv.nodes.host.folders import FOLDER, hrv_path, new_hrv_path
from hrv_engine.storage.atomic import write_atomically

from .attempt import Attempt
from .mutations import ODD_TEXTS, damaged_text

PIECES = [
    *ODD_TEXTS,
    "my_hrv",
    "sd15",
    "/",
    "\\",
    ".",
    "..",
    ".safetensors",
    ".npy",
    "preset: ",
    "~",
    "a" * 250,
    "夏" * 100,
    "C:",
]


def attempts(chance: random.Random, folder: Path) -> Iterator[Attempt]:
    """Names to save under, and names to load."""
    inside = (folder / "models").resolve()
    inside.mkdir()
    (inside / "there.safetensors").touch()
    folder_paths.folder_names_and_paths[FOLDER] = ([str(inside)], {".safetensors", ".npy"})
    while True:
        name = "".join(chance.choice(PIECES) for _ in range(chance.choice([1, 2, 3, 5, 50])))
        if chance.random() < 0.3:
            name = damaged_text("sd15/my_hrv.safetensors", chance)
        if chance.random() < 0.3:
            yield Attempt(f"load {name}", partial(hrv_path, name), _is_there)
        else:
            yield Attempt(f"save {name}", partial(_saved, name), partial(_wrong, inside=inside))


def _saved(name: str) -> Path:
    path = new_hrv_path(name)
    write_atomically(path, b"x")
    return path


def _is_there(path: Path) -> str:
    return "" if path.is_file() else "no file"


def _wrong(path: Path, inside: Path) -> str:
    if inside not in path.resolve().parents or path.suffix != ".safetensors" or path.read_bytes() != b"x":
        return f"it was written to {path}"
    path.unlink()
    return ""
