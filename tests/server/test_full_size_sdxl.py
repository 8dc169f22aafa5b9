"""SDXL in full size with random weights through the stock loader and a shipped graph, where there is memory for it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from comfyui_hrv.tests import skips, workflows
from comfyui_hrv.tools.server import ComfyServer
from hrv_engine.attention.heads import HeadLayout
from hrv_engine.relevance import files
from hrv_engine.relevance.concepts import ConceptSet
from hrv_engine.relevance.relevance import HeadRelevance

pytestmark = pytest.mark.skipif(not os.environ.get("HRV_FULL_SDXL"), reason=skips.NO_ROOM_FOR_SDXL)
BLOCKS = [("input", 4, 2, 10), ("input", 5, 2, 10), ("input", 7, 10, 20), ("input", 8, 10, 20), ("middle", 0, 10, 20)]
BLOCKS += [("output", number, 10, 20) for number in range(3)] + [("output", number, 2, 10) for number in range(3, 6)]


@pytest.fixture(scope="module")
def sdxl(repository):
    """A server with a random SDXL and random vectors over its 1300 heads; weights stay in half precision."""
    cache = Path(os.environ.get("COMFYUI_HRV_CACHE") or tempfile.gettempdir()) / "sdxl-random.safetensors"
    subprocess.run([sys.executable, "-m", "tools.random_checkpoint", cache, "sdxl"], cwd=repository, check=True)
    arguments = ("--cpu", "--bf16-unet", "--bf16-text-enc", "--disable-smart-memory")
    with ComfyServer(arguments=arguments) as server:
        (server.models / "checkpoints" / workflows.STOCK_FILES["sdxl"]).symlink_to(cache)
        concepts = ConceptSet.load(repository / "hrv_presets" / "concepts" / "paper34.yaml")
        layout = HeadLayout.from_json(
            [[block, number, depth, heads, 64] for block, number, depths, heads in BLOCKS for depth in range(depths)]
        )
        values = np.random.default_rng(0).random((len(concepts.names), layout.total)).astype(np.float32)
        files.save(server.models / "hrv" / "sdxl_paper34.safetensors", HeadRelevance(values, concepts, layout))
        yield server


def test_04_steers_a_full_size_sdxl(sdxl):
    prompt = workflows.converted("04 SDXL - fix a misread word", sdxl.client.object_info())
    small = workflows.with_values(prompt, width=256, height=256, steps=1, batch_size=1)
    outputs = sdxl.client.run(small, timeout=1500)
    nodes = workflows.nodes_of(small, "PreviewImage")
    plain, adjusted, strengthened = (np.asarray(sdxl.client.images(outputs, node)[0]) for node in nodes)
    assert plain.shape == (256, 256, 3) and (plain != adjusted).any() and (plain != strengthened).any()
    neutral = sdxl.client.run(workflows.with_values(small, strength=0.0), timeout=1500)
    for node in nodes:
        np.testing.assert_array_equal(np.asarray(sdxl.client.images(neutral, node)[0]), plain)


@pytest.mark.parametrize("name", ["15 SDXL - edit by prompt", "20 SDXL - keep every object"])
def test_other_graphs_run_on_a_full_size_sdxl_and_do_something(sdxl, name):
    prompt = workflows.converted(name, sdxl.client.object_info())
    small = workflows.with_values(prompt, width=256, height=256, steps=2)  # in one step no editing window opens
    outputs = sdxl.client.run(small, timeout=1500)
    shown = [sdxl.client.images(outputs, node) for node in workflows.nodes_of(small, "PreviewImage")]
    first, second = (np.asarray(images[-1]) for images in shown)
    assert first.shape == second.shape == (256, 256, 3) and (first != second).any()
