"""Where files live: ComfyUI's models folder as types `hrv` and `hrv_eval`, and the pack's own hrv_presets."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import folder_paths

from ...hrv_engine.errors import UNSAFE, HRVError, nearest
from ...hrv_engine.paths import PRESETS
from ...hrv_engine.relevance.fetch import registry
from ...hrv_engine.storage.atomic import write_atomically
from .eval_models import FOLDER as EVAL_FOLDER

FOLDER = "hrv"
EXTENSIONS = {".safetensors", ".npy"}
PRESET_MARK = "preset: "
SUFFIX = ".safetensors"
LONGEST = 200  # bytes of a file's or a folder's name; file systems have 255, and other files stand beside it


def register_folders() -> None:
    """Make `models/hrv` and `models/hrv_eval` model folders, with paths that extra_model_paths.yaml may have added."""
    for name, ours in ((FOLDER, EXTENSIONS), (EVAL_FOLDER, {"folder"})):
        default = str(Path(folder_paths.models_dir) / name)
        paths, extensions = folder_paths.folder_names_and_paths.get(name, ([], set()))
        folder_paths.folder_names_and_paths[name] = (list(dict.fromkeys([*paths, default])), set(extensions) | ours)


def hrv_files(suffix: str = ".safetensors") -> list[str]:
    """Names for a menu: the user's files first, then shipped presets marked as such."""
    own = [name for name in folder_paths.get_filename_list(FOLDER) if name.casefold().endswith(suffix)]
    shipped = [PRESET_MARK + path.name for path in sorted((PRESETS / "hrv").glob(f"*{suffix}"))]
    return own + shipped


def hrv_path(name: str) -> Path:
    """The file behind a menu name; raises HRVError with the nearest names."""
    try:
        if name.startswith(PRESET_MARK):
            path = PRESETS / "hrv" / Path(name.removeprefix(PRESET_MARK)).name
            found = str(path) if path.is_file() else None
        else:
            found = folder_paths.get_full_path(FOLDER, name)
    except (OSError, ValueError):  # too long, or with a NUL
        found = None
    if found is None:
        legal = hrv_files() + hrv_files(".npy")
        close = nearest(name[:60], legal) or "none yet"
        raise HRVError(
            f'There is no HRV file "{name[:60]}". Nearest: {close}. {_way_to_get(name)}'
            f"Build one with HRV Build, or put it into models/{FOLDER}."
        )
    return Path(found)


def last_changes(names: Iterable[str], find: Callable[[str], Path] = hrv_path) -> list[float]:
    """When the files behind menu names last changed, for a node's fingerprint; 0 for one that `find` does not find."""
    return [_last_change(name, find) for name in names]


def _last_change(name: str, find: Callable[[str], Path]) -> float:
    try:
        return os.path.getmtime(find(name))
    except (HRVError, OSError):  # the node says so when it runs
        return 0.0


def _way_to_get(name: str) -> str:
    """How vectors that the paper's authors published come here, for the names that the workflows ask for."""
    for entry in registry().values():
        if Path(name).stem == entry.save_as:
            return f'HRV Fetch downloads these vectors: choose "{entry.name}" and run it once. '
    return ""


def new_hrv_path(name: str) -> Path:
    """Where a new HRV of this name is saved: the first `hrv` folder; raises HRVError for a name that leaves it.

    Blanks, tabs and line feeds around the name do not count; inside, only blanks may be.
    """
    name = name.strip()
    folder = Path(folder_paths.get_folder_paths(FOLDER)[0]).resolve()
    parts = [part for part in name.replace("\\", "/").split("/") if part]
    odd = UNSAFE.search(name) or set(name) & set("\n\t") or any(set(part) <= {".", " "} for part in parts)
    long = any(len(part.encode("utf-8", "replace")) > LONGEST for part in parts)
    path = None if odd or long else (folder / (name.removesuffix(SUFFIX) + SUFFIX)).resolve()
    if (
        path is None
        or not parts
        or name.endswith(("/", "\\"))
        or not parts[-1].removesuffix(SUFFIX).strip()
        or folder not in path.parents
    ):
        most = f", of at most {LONGEST} bytes" if long else ", without line feeds, tabs and the like" if odd else ""
        raise HRVError(
            f'"{name[:60]}" is not a file name inside {folder}{most}. Use a name such as "my_hrv" or "sd15/my_hrv".'
        )
    return path


def put_into_output(path: Path) -> dict[str, str]:
    """Copy a saved HRV into ComfyUI's output folder, whole or not at all; what /view needs to hand it out."""
    inside = Path(FOLDER) / path.relative_to(Path(folder_paths.get_folder_paths(FOLDER)[0]).resolve())
    write_atomically(Path(folder_paths.get_output_directory()) / inside, path.read_bytes())
    return {"filename": inside.name, "subfolder": inside.parent.as_posix(), "type": "output"}


def forget_listing() -> None:
    """Let menus list a file that was just written."""
    folder_paths.filename_list_cache.pop(FOLDER, None)


def preset_names(kind: str) -> list[str]:
    """Names of the presets of a kind ("concepts", "prompts", "templates")."""
    return sorted(_presets(kind))


def preset_path(kind: str, name: str) -> Path:
    """The file of a preset; raises HRVError with the legal names."""
    presets = _presets(kind)
    if name not in presets:
        raise HRVError(f'There is no {kind} preset "{name}". Legal: {", ".join(sorted(presets))}.')
    return presets[name]


def _presets(kind: str) -> dict[str, Path]:
    files = (path for ending in ("yaml", "txt") for path in (PRESETS / kind).glob(f"*.{ending}"))
    return {path.stem: path for path in files}
