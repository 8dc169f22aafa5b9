"""Where the pack is, and the ComfyUI around it."""

import os
from pathlib import Path

from .errors import HRVError

ROOT = Path(__file__).resolve().parents[1]
PRESETS = ROOT / "hrv_presets"
WORKFLOWS = ROOT / "workflows"


def comfyui_folder() -> Path:
    """The ComfyUI to load: COMFYUI_PATH, or the one the pack is in; raises HRVError for neither."""
    if os.environ.get("COMFYUI_PATH"):
        return Path(os.environ["COMFYUI_PATH"])
    if ROOT.parent.name == "custom_nodes":
        return ROOT.parents[1]
    raise HRVError(f"{ROOT} is not in ComfyUI's custom_nodes. Set COMFYUI_PATH to the folder of a ComfyUI.")


def models_folder() -> Path:
    """models/hrv of the ComfyUI in whose custom_nodes the pack is; raises HRVError where it does not."""
    if ROOT.parent.name != "custom_nodes":
        raise HRVError(f"{ROOT} is not in ComfyUI's custom_nodes, so models/hrv is not known. Give --to FOLDER.")
    return ROOT.parents[1] / "models" / "hrv"
