"""HRV Fetch through the real server, from a file server on this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from comfyui_hrv.tests import skips
from comfyui_hrv.tests.fileserver import serving
from hrv_engine.relevance import files
from hrv_engine.relevance.fetch import published
from hrv_engine.remote.prompt import PromptFailed

PUBLISHED = Path(__file__).parents[2].parent / "shared" / "published"
needs_arrays = pytest.mark.skipif(not PUBLISHED.is_dir(), reason=skips.NO_PUBLISHED_ARRAYS)


def graph(mirror: str, save_as: str) -> dict:
    return {"fetch": {"class_type": "HRVFetch", "inputs": {"name": "sdxl", "save_as": save_as, "mirror": mirror}}}


@needs_arrays
def test_the_node_saves_the_published_vectors_and_menus_list_them(server):
    with serving(PUBLISHED) as (address, _):
        outputs = server.client.run(graph(address, "fetched/sdxl"))
    assert "70 layers, 1300 heads" in outputs["fetch"]["text"][0]
    saved = files.load(server.models / "hrv" / "fetched" / "sdxl.safetensors")
    assert saved.source["sha256"] == published("sdxl").sha256
    options = server.client.get("/object_info/HRVLoad")["HRVLoad"]["input"]["required"]["file"]
    assert "fetched/sdxl.safetensors" in str(options)


def test_other_bytes_reach_the_user_as_a_refusal_and_leave_no_file(server, tmp_path):
    (tmp_path / published("sdxl").file).write_bytes(b"not the array")
    with serving(tmp_path) as (address, _), pytest.raises(PromptFailed, match="sha256") as failure:
        server.client.run(graph(address, "fetched/wrong"))
    assert failure.value.node_type == "HRVFetch"
    assert not list((server.models / "hrv").rglob("*wrong*"))
