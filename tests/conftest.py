"""Make the pack importable (`comfyui_hrv...`, `hrv_engine...`) and lend one real ComfyUI server to all tests."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
_spec = importlib.util.spec_from_file_location("_hrv_pack_loader", ROOT / "tools" / "pack.py")
_loader = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_loader)
_loader.load_pack()

sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != ROOT]  # `nodes` is ComfyUI's

from comfyui_hrv.tests import skips  # noqa: E402


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    needs_host = collection_path.parent == ROOT / "tests" and collection_path.name in ("host", "server", "browser")
    return True if needs_host and not os.environ.get("COMFYUI_PATH") else None


def pytest_report_header() -> str:
    where = os.environ.get("COMFYUI_PATH")
    return f"ComfyUI: {where}" if where else f"host, server and browser tests left out: {skips.NO_COMFYUI}"


@pytest.fixture(scope="session")
def repository() -> Path:
    """The repository's root."""
    return ROOT
