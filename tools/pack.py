"""Import the pack outside a ComfyUI server, under one name and as one copy.

Inside ComfyUI the repository is a package with relative imports. Here it is `comfyui_hrv` (so its `nodes` never hides
ComfyUI's top-level `nodes`), and `hrv_engine` is another name for the very modules of `comfyui_hrv.hrv_engine`.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]
PACK = "comfyui_hrv"
ENGINE = "hrv_engine"


def load_pack() -> ModuleType:
    """The repository as package `comfyui_hrv`; needs no ComfyUI until a node module is imported."""
    if PACK not in sys.modules:
        door = ROOT / "__init__.py"
        spec = importlib.util.spec_from_file_location(PACK, door, submodule_search_locations=[str(ROOT)])
        assert spec is not None and spec.loader is not None
        sys.modules[PACK] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[PACK])
        same_modules = importlib.import_module(f"{PACK}.public_name").SameModules
        sys.meta_path.insert(0, same_modules(ENGINE, f"{PACK}.{ENGINE}"))
    return sys.modules[PACK]


def use_comfyui(*arguments: str) -> None:
    """Make the modules of the ComfyUI at COMFYUI_PATH importable in this process, as `main.py *arguments` would."""
    load_pack()
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != ROOT]  # `nodes` is ComfyUI's
    importlib.import_module(f"{PACK}.nodes.host.headless").use_comfyui(os.environ["COMFYUI_PATH"], *arguments)
