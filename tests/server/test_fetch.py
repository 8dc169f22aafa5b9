"""HRV Fetch through the real server, from a file server on this machine."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from comfyui_hrv.tests import skips
from comfyui_hrv.tests.fileserver import serving
from comfyui_hrv.tests.oddserver import OK, dripping, sending
from hrv_engine.relevance import files
from hrv_engine.relevance.fetch import published
from hrv_engine.remote.prompt import PromptCancelled, PromptFailed

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


@pytest.mark.parametrize("steps", [[(60.0, b"")], [(0.0, OK), dripping()]], ids=["silent", "a byte at a time"])
def test_a_mirror_that_never_ends_is_cancelled_and_the_next_prompt_runs(server, steps):
    with sending(*steps) as odd:
        prompt_id = server.client.submit(graph(odd.address, "fetched/never"))
        while not odd.asked:
            time.sleep(0.05)
        start = time.monotonic()
        server.client.stop(prompt_id)
        assert time.monotonic() - start < 2
        with pytest.raises(PromptCancelled):
            server.client.outputs(prompt_id)
        with pytest.raises(PromptFailed, match="is no address of a folder to fetch from"):
            server.client.run(graph(f"{odd.address}?", "fetched/never"))
    assert not list((server.models / "hrv").rglob("*never*"))
