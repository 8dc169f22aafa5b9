"""The graphs about files of vectors, 27, 29 and 42, through /prompt."""

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
def test_27_adds_up_two_parts_to_one_build_and_saves_it(server):
    name = "27 Build in parts and merge"
    prompt = workflows.converted(name, server.client.object_info())
    small = prompt if os.environ.get("HRV_WRITE_THUMBNAILS") else workflows.with_values(prompt, steps=6)
    outputs = server.client.run(small)
    merged = files.load(server.models / "hrv" / "pocket_merged.safetensors")
    parts = [files.load(server.models / "hrv" / f"pocket_part_{number}.safetensors") for number in (1, 2)]
    np.testing.assert_array_equal(merged.votes.counts, parts[0].votes.counts + parts[1].votes.counts)
    assert merged.votes.images == 16 and len(merged.votes.parts) == 1
    (compare,) = workflows.nodes_of(small, "HRVCompare")
    assert "12 shared concepts" in outputs[compare]["text"][0]
    (image,) = workflows.nodes_of(small, "HRVCompare")
    images = server.client.images(outputs, image)
    assert np.asarray(images[0]).std() > 5
    if os.environ.get("HRV_WRITE_THUMBNAILS"):
        write_thumbnail(name, images)


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason=skips.NO_PUBLISHED_ARRAYS)
def test_29_fetches_the_published_vectors_and_shows_them(server):
    prompt = workflows.converted("29 Fetch the paper's vectors", server.client.object_info())
    with serving(PUBLISHED) as (address, asked):
        here = workflows.with_values(prompt, mirror=address, save_as="fetched/sd14")
        outputs = server.client.run(here)
    assert len(asked) == 1
    (top,) = workflows.nodes_of(here, "PreviewAny")
    assert outputs[top]["text"][0].startswith("Color") and "output" in outputs[top]["text"][0]
    (image,) = workflows.nodes_of(here, "HRVHeatmap")
    assert np.asarray(server.client.images(outputs, image)[0]).std() > 5


def test_42_imports_an_array_for_a_checkpoint_and_saves_it(server, sd15_checkpoint, stand_ins):
    prompt = workflows.converted("42 SD1.5 - import published vectors", server.client.object_info())
    outputs = server.client.run(workflows.with_values(prompt, filename="imported"), timeout=900)
    saved = files.load(server.models / "hrv" / "imported.safetensors")
    published = np.load(server.models / "hrv" / workflows.PUBLISHED)
    np.testing.assert_allclose(saved.values, published / published.mean(axis=1, keepdims=True), rtol=1e-5)
    assert saved.source == {"imported_from": workflows.PUBLISHED} and saved.layout.total == 128
    (image,) = workflows.nodes_of(prompt, "HRVHeatmap")
    assert np.asarray(server.client.images(outputs, image)[0]).std() > 5


def test_a_linked_file_is_loaded_and_noticed_when_it_is_replaced(server):
    shipped = sorted((Path(__file__).parents[2] / "hrv_presets" / "hrv").glob("pocket*.safetensors"))[:2]
    prompt = {
        "name": {"class_type": "PrimitiveString", "inputs": {"value": "linked.safetensors"}},
        "switch": {
            "class_type": "ComfySwitchNode",
            "inputs": {"switch": True, "on_true": ["name", 0], "on_false": ["name", 0]},
        },
        "load": {"class_type": "HRVLoad", "inputs": {"file": ["switch", 0]}},
        "save": {"class_type": "HRVSave", "inputs": {"hrv": ["load", 0], "filename": "linked/saved"}},
    }
    for changed, path in enumerate(shipped, 1):
        (server.models / "hrv" / "linked.safetensors").write_bytes(path.read_bytes())
        os.utime(server.models / "hrv" / "linked.safetensors", (changed, changed))
        server.client.run(prompt)
        saved, given = (files.load(one) for one in (server.models / "hrv" / "linked" / "saved.safetensors", path))
        np.testing.assert_array_equal(saved.values, given.values)
    assert len(shipped) == 2


@pytest.mark.thumbnail
def test_23_finds_heads_by_effect_and_steers_a_word_with_them(server):
    name = "23 Build head vectors by effect"
    prompt = workflows.quick(name, server.client.object_info())
    writing = os.environ.get("HRV_WRITE_THUMBNAILS")
    outputs = server.client.run(prompt if writing else workflows.with_values(prompt, samples_per_word=1))
    built = files.load(server.models / "hrv" / "pocket_effect.safetensors")
    fruit = "Fruits and Vegetables" if writing else "Fruit"
    assert built.method == "effect" and set(built.concepts.names) == {"Color", fruit} and built.sums.images >= 13
    (report,) = workflows.nodes_of(prompt, "PreviewAny")
    assert "By effect" in outputs[report]["text"][0] and "  Color: " in outputs[report]["text"][0]
    (heat_map,), (plain, adjusted) = (workflows.nodes_of(prompt, kind) for kind in ("HRVHeatmap", "PreviewImage"))
    assert np.asarray(server.client.images(outputs, heat_map)[0]).std() > 5
    before, after = (
        np.stack([np.asarray(image) for image in server.client.images(outputs, node)]) for node in (plain, adjusted)
    )
    assert np.abs(before.astype(int) - after).mean() > 1, "the adjusted images are the plain ones"
    if writing:
        rows = {"before": plain, "after": adjusted}
        write_thumbnail(name, {title: server.client.images(outputs, node)[:2] for title, node in rows.items()})


def test_a_build_by_effect_that_goes_on_measures_only_what_is_new(server):
    prompt = workflows.quick("23 Build head vectors by effect", server.client.object_info())
    small = workflows.with_values(prompt, samples_per_word=1, save_as="grows", steps=6)
    server.client.run(small)
    once = files.load(server.models / "hrv" / "grows.safetensors").sums
    server.client.run(workflows.with_values(small, samples_per_word=2))
    twice = files.load(server.models / "hrv" / "grows.safetensors").sums
    assert twice.images == 2 * once.images and len(twice.parts) == 1
    with pytest.raises(Exception, match="timesteps is"):
        server.client.run(workflows.with_values(small, timesteps=1))
