"""Make the pack importable (`comfyui_hrv...`, `hrv_engine...`) and lend one real ComfyUI server to all tests."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
_spec = importlib.util.spec_from_file_location("_hrv_pack_loader", ROOT / "tools" / "pack.py")
_loader = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_loader)
_loader.load_pack()

sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != ROOT]  # `nodes` is ComfyUI's

from comfyui_hrv.tests import skips, workflows  # noqa: E402


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    needs_host = collection_path.parent == ROOT / "tests" and collection_path.name in ("nodes", "server", "browser")
    return True if needs_host and not os.environ.get("COMFYUI_PATH") else None


def pytest_report_header() -> str:
    where = os.environ.get("COMFYUI_PATH")
    return f"ComfyUI: {where}" if where else f"host, server and browser tests left out: {skips.NO_COMFYUI}"


@pytest.fixture(scope="session")
def repository() -> Path:
    """The repository's root."""
    return ROOT


@pytest.fixture(scope="session")
def server() -> Iterator:
    """A real ComfyUI server with this pack, one for the whole run."""
    from comfyui_hrv.tools.server import ComfyServer

    with ComfyServer(arguments=("--cpu", "--preview-method", "latent2rgb")) as running:
        yield running


@pytest.fixture(scope="session")
def sd15_checkpoint(server) -> str:
    """The name of a full-size SD1.5 checkpoint with random weights in the server's models; the file is cached."""
    recipe = ROOT / "tools" / "random_checkpoint.py"
    cache = Path(os.environ.get("COMFYUI_HRV_CACHE") or tempfile.gettempdir())
    cached = cache / f"sd15-random-{hashlib.sha256(recipe.read_bytes()).hexdigest()[:8]}.safetensors"
    subprocess.run([sys.executable, "-m", "tools.random_checkpoint", cached], cwd=ROOT, check=True)
    name = workflows.STOCK_FILES["sd15"]
    (server.models / "checkpoints" / name).symlink_to(cached)
    return name


@pytest.fixture(scope="session")
def stand_ins(server) -> None:
    """Files that workflows name: a checkpoint and CLIP without tensors, vectors, an image, tiny models that judge."""
    import numpy as np
    from PIL import Image
    from safetensors.numpy import save_file

    from comfyui_hrv.tests import tiny_eval
    from hrv_engine.attention.heads import AttentionSite, HeadLayout
    from hrv_engine.relevance import files
    from hrv_engine.relevance.concepts import Concept, ConceptSet
    from hrv_engine.relevance.relevance import HeadRelevance

    Image.radial_gradient("L").convert("RGB").save(server.base / "input" / "example.png")
    save_file({}, server.models / "checkpoints" / workflows.STOCK_FILES["sdxl"])
    (server.models / "clip_vision").mkdir(exist_ok=True)
    save_file({}, server.models / "clip_vision" / workflows.CLIP_FILE)
    for folder, names in workflows.PARTS.items():
        (server.models / folder).mkdir(exist_ok=True)
        for name in names:
            save_file({}, server.models / folder / f"{name}.safetensors")
    tiny_eval.save_all(server.models / "hrv_eval", *workflows.JUDGES)
    concepts = ConceptSet("stand-in", (Concept("Color", ("red",)), Concept("Plants", ("fern",))))
    vectors = HeadRelevance(
        np.ones((2, 2), np.float32), concepts, HeadLayout((AttentionSite(("middle", 0, 0), 2, 64),))
    )
    np.save(server.models / "hrv" / workflows.PUBLISHED, np.random.default_rng(0).random((34, 128), np.float32))
    for name in workflows.VECTORS:
        path = server.models / "hrv" / f"{name}.safetensors"
        if not path.exists():
            files.save(path, vectors)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    """A failure of a test that used the server shows the end of the server's log."""
    report = yield
    running = getattr(item, "funcargs", {}).get("server")
    if report.when == "call" and report.failed and running is not None:
        report.sections.append(("ComfyUI server log (end)", running.log()[-4000:]))
    return report
