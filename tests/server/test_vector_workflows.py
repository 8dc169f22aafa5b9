"""The graphs about files of vectors, 28 and 29, through /prompt."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from comfyui_hrv.tests import skips, workflows
from comfyui_hrv.tests.fileserver import serving
from comfyui_hrv.tools.thumbnails import write_thumbnail
from hrv_engine.relevance import files

PUBLISHED = Path(__file__).parents[2].parent / "shared" / "published"


@pytest.mark.thumbnail
def test_28_adds_up_two_parts_to_one_build_and_saves_it(server):
    name = "28_pocket_build_in_parts"
    prompt = workflows.converted(name, server.client.object_info())
    small = prompt if os.environ.get("HRV_WRITE_THUMBNAILS") else workflows.with_values(prompt, steps=6)
    outputs = server.client.run(small)
    merged = files.load(server.models / "hrv" / "pocket_merged.safetensors")
    parts = [files.load(server.models / "hrv" / f"pocket_part_{number}.safetensors") for number in (1, 2)]
    np.testing.assert_array_equal(merged.votes.counts, parts[0].votes.counts + parts[1].votes.counts)
    assert merged.votes.images == 16 and len(merged.votes.parts) == 1
    (compare,) = workflows.nodes_of(small, "HRVCompare")
    assert "12 shared concepts" in outputs[compare]["text"][0]
    (image,) = workflows.nodes_of(small, "PreviewImage")
    images = server.client.images(outputs, image)
    assert np.asarray(images[0]).std() > 5
    if os.environ.get("HRV_WRITE_THUMBNAILS"):
        write_thumbnail(name, images)


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason=skips.NO_PUBLISHED_ARRAYS)
def test_29_fetches_the_published_vectors_and_shows_them(server):
    prompt = workflows.converted("29_published_vectors", server.client.object_info())
    with serving(PUBLISHED) as (address, asked):
        here = workflows.with_values(prompt, mirror=address, save_as="fetched/sd14")
        outputs = server.client.run(here)
    assert len(asked) == 1
    (top,) = workflows.nodes_of(here, "PreviewAny")
    assert outputs[top]["text"][0].startswith("Color") and "output" in outputs[top]["text"][0]
    (image,) = workflows.nodes_of(here, "PreviewImage")
    assert np.asarray(server.client.images(outputs, image)[0]).std() > 5
