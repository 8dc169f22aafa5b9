"""The workflows that edit images, 13 to 17, through /prompt: on the pocket model and on a full-size SD1.5."""

from __future__ import annotations

import os

import numpy as np
import pytest

from comfyui_hrv.tests import workflows
from comfyui_hrv.tools.thumbnails import write_thumbnail
from hrv_engine.remote.prompt import PromptFailed

SMALL = {"width": 64, "height": 64, "steps": 2}
ON_SD15 = [name for name in workflows.NAMES if name[:2] in ("14", "17")]


@pytest.fixture(scope="module")
def object_info(server, stand_ins) -> dict:
    return server.client.object_info()


def previews(server, outputs: dict, prompt: dict) -> list[np.ndarray]:
    """The images of every preview, [images height width 3] in 0..255, in the graph's order."""
    return [
        np.stack([np.asarray(image) for image in server.client.images(outputs, node)]).astype(int)
        for node in workflows.nodes_of(prompt, "PreviewImage")
    ]


@pytest.mark.thumbnail
def test_13_draws_pairs_whose_sources_agree_and_whose_targets_depend_on_the_method(server, object_info):
    name = "13 Edit by prompt"
    prompt = workflows.quick(name, object_info)
    outputs = server.client.run(prompt)
    plain, p2p, hrv = previews(server, outputs, prompt)
    assert len(plain) == 12 and plain.shape == p2p.shape == hrv.shape
    for other in (p2p, hrv):
        assert np.abs(plain[::2] - other[::2]).max() <= 1, "a source depends on its target"
        assert np.abs(plain[1::2] - other[1::2]).mean() > 1
    assert np.abs(p2p[1::2] - hrv[1::2]).mean() > 1
    if os.environ.get("HRV_WRITE_THUMBNAILS"):
        pairs = server.client.images(outputs, workflows.nodes_of(prompt, "PreviewImage")[-1])
        write_thumbnail(name, {"source": pairs[:6:2], "edited": pairs[1:6:2]})


def test_13_without_windows_is_a_plain_batch(server, object_info):
    prompt = workflows.quick("13 Edit by prompt", object_info)
    neutral = workflows.with_values(prompt, cross_replace=0.0, self_replace=0.0)
    plain, p2p, hrv = previews(server, server.client.run(neutral), neutral)
    np.testing.assert_array_equal(plain, p2p)
    np.testing.assert_array_equal(plain, hrv)


@pytest.mark.parametrize("name", ON_SD15)
def test_a_paper_graph_runs_on_a_full_size_sd15(server, sd15_checkpoint, sd15_vectors, object_info, name):
    prompt = workflows.with_values(workflows.converted(name, object_info), **SMALL)
    shown = previews(server, server.client.run(prompt, timeout=900), prompt)
    pairs = [pictures for pictures in shown if len(pictures) == 2]
    assert len(pairs) >= 2 and all(np.isfinite(pair).all() for pair in pairs)
    for pair in pairs[1:]:
        assert np.abs(pair[0] - pairs[0][0]).max() <= 8, "a source depends on its target"  # the random VAE amplifies
        assert (pair[1] != pairs[0][1]).any(), "two methods draw the same target"
    assert len(shown) - len(pairs) == (name[:2] == "17"), "SDEdit draws the target alone"


def test_15_is_valid_and_stops_only_at_the_checkpoint_that_is_not_there(server, object_info):
    """SDXL at full size does not fit a test machine: the files it names exist, but hold nothing to load."""
    with pytest.raises(PromptFailed) as failure:
        server.client.run(workflows.converted("15 SDXL - edit by prompt", object_info))
    assert failure.value.node_type == "CheckpointLoaderSimple"


def test_18_inverts_a_image_and_gives_it_back_beside_its_edits(server, sd15_checkpoint, sd15_vectors, object_info):
    prompt = workflows.with_values(workflows.converted("16 SD1.5 - edit a photograph", object_info), **SMALL)
    (encode,) = workflows.nodes_of(prompt, "VAEEncode")
    (decode, *_) = workflows.nodes_of(prompt, "VAEDecode")
    whole = {
        **prompt,
        "back": {"class_type": "VAEDecode", "inputs": {**prompt[decode]["inputs"], "samples": [encode, 0]}},
    }
    whole["itself"] = {"class_type": "PreviewImage", "inputs": {"images": ["back", 0]}}
    outputs = server.client.run(whole, timeout=900)
    hrv, plug_and_play, itself = previews(server, outputs, whole)
    for pair in (hrv, plug_and_play):
        assert np.abs(pair[0] - itself[0]).max() <= 8
        assert np.abs(pair[1] - itself[0]).mean() > 1
    (report,) = workflows.nodes_of(prompt, "PreviewAny")
    assert "2 steps" in outputs[report]["text"][0] and "differs by" in outputs[report]["text"][0]
