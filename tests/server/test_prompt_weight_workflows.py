"""The graphs of HRV Prompt Weights, 07 to 10, and of HRV Reference Strength, 12, on the pocket and tiny models."""

from __future__ import annotations

import os

import numpy as np
import pytest
from PIL import Image

from comfyui_hrv.hrv_engine.errors import HRVError
from comfyui_hrv.tests import workflows
from comfyui_hrv.tools.thumbnails import write_thumbnail

WRITING = bool(os.environ.get("HRV_WRITE_THUMBNAILS"))
LOADERS = {"UNETLoader": 0, "CLIPLoader": 1, "DualCLIPLoader": 1, "VAELoader": 2}  # class: output of the tiny node
SMALL = {"width": 64, "height": 64, "steps": 2}


def pixels(server, outputs: dict, node: str) -> np.ndarray:
    """A preview node's images, [images height width 3] in 0..255."""
    return np.stack([np.asarray(image) for image in server.client.images(outputs, node)]).astype(int)


@pytest.mark.thumbnail
def test_07_strengthens_a_word_and_pushes_one_away_on_the_pocket_model(server):
    name = "07 Prompt weights that work"
    prompt = workflows.converted(name, server.client.object_info())
    outputs = server.client.run(prompt if WRITING else workflows.with_values(prompt, steps=8, amount=2))
    nodes = workflows.nodes_of(prompt, "PreviewImage")
    plain, *weighted = (pixels(server, outputs, node) for node in nodes)
    assert all(np.abs(images - plain).mean() > 1 for images in weighted)
    reports = [outputs[node]["text"][0] for node in workflows.nodes_of(prompt, "PreviewAny")]
    assert [report.split(" on ")[0] for report in reports] == ['"blue": 2', '"blue": 2', '"snowy": -1']
    assert "of Color" in reports[1] and "all 128 heads" in reports[0]
    if WRITING:
        titles = ("plain", "(blue:2)", "in its heads", "(snowy:-1)")
        rows = zip(titles, nodes, strict=True)
        write_thumbnail(name, {title: server.client.images(outputs, node)[:4] for title, node in rows})


def on_tiny(prompt: dict, family: str) -> dict:
    """The prompt with a tiny model of a family for what its loaders load."""
    places = {number: LOADERS[node["class_type"]] for number, node in prompt.items() if node["class_type"] in LOADERS}
    rewired = {"tiny": {"class_type": "TinyTransformer", "inputs": {"family": family}}}
    for number, node in prompt.items():
        if number not in places:
            inputs = {
                name: ["tiny", places[value[0]]] if isinstance(value, list) and value[0] in places else value
                for name, value in node["inputs"].items()
            }
            rewired[number] = {**node, "inputs": inputs}
    return rewired


@pytest.mark.parametrize(
    ("name", "family", "weighted"),
    [
        ("08 Z-Image - prompt weights that work", "Z-Image", ['"blue": 2', '"blue": 2']),
        ("09 Flux - push something away", "Flux.1", ['"cars": -1', '"cars": 0']),
    ],
)
def test_08_and_09_weight_words_without_cfg(tiny_server, name, family, weighted):
    prompt = workflows.converted(name, tiny_server.client.object_info())
    small = workflows.with_values(on_tiny(prompt, family), **SMALL)
    outputs = tiny_server.client.run(small)
    plain, *others = (pixels(tiny_server, outputs, node) for node in workflows.nodes_of(small, "PreviewImage"))
    assert plain.std() > 5 and all((images != plain).any() for images in others)
    assert (others[0] != others[1]).any()
    reports = [outputs[node]["text"][0] for node in workflows.nodes_of(small, "PreviewAny")]
    assert [report.split(" on ")[0] for report in reports] == weighted
    neutral = tiny_server.client.run(workflows.with_values(small, strength=0.0))
    for node in workflows.nodes_of(small, "PreviewImage"):
        assert (pixels(tiny_server, neutral, node) == plain).all()


def test_10_weights_words_of_a_video_each_in_its_part_of_the_sampling(tiny_server):
    prompt = workflows.converted("10 Wan - a word's strength over time", tiny_server.client.object_info())
    small = workflows.with_values(on_tiny(prompt, "Wan"), **SMALL | {"steps": 4}, length=5)
    outputs = tiny_server.client.run(small)
    reports = [outputs[node]["text"][0] for node in workflows.nodes_of(small, "PreviewAny")]
    assert "from 0% to 40% of the sampling" in reports[0] and "from 40% to 100% of the sampling" in reports[1]
    films = [outputs[node]["images"][0]["filename"] for node in workflows.nodes_of(small, "SaveAnimatedWEBP")]
    written = [(tiny_server.base / "output" / "video" / film).read_bytes() for film in films]
    assert len(set(written)) == 3, "two of the films are the same"


def test_12_takes_less_and_more_of_a_reference_image(tiny_server):
    random = np.random.default_rng(5)
    for name in ("first.png", "second.png"):
        Image.fromarray(random.integers(0, 256, (64, 64, 3), np.uint8)).save(tiny_server.base / "input" / name)
    prompt = workflows.converted("12 Qwen-Image-Edit - how much of each reference", tiny_server.client.object_info())
    small = workflows.with_values(on_tiny(prompt, "Qwen-Image"), **SMALL)
    for node in workflows.nodes_of(small, "TextEncodeQwenImageEditPlus"):
        small[node]["class_type"] = "TinyEditEncode"
    for node, name in zip(workflows.nodes_of(small, "LoadImage"), ("first.png", "second.png"), strict=True):
        small[node]["inputs"]["image"] = name
    outputs = tiny_server.client.run(small)
    plain, less, more = (pixels(tiny_server, outputs, node) for node in workflows.nodes_of(small, "PreviewImage"))
    assert plain.std() > 5 and (less != plain).any() and (more != plain).any() and (less != more).any()
    reports = [outputs[node]["text"][0] for node in workflows.nodes_of(small, "PreviewAny")]
    assert reports == [f"image 2 of 2: strength {strength} in all 8 heads" for strength in (0.6, 1.4)]
    neutral = tiny_server.client.run(workflows.with_values(small, strength=1.0))
    for node in workflows.nodes_of(small, "PreviewImage"):
        assert (pixels(tiny_server, neutral, node) == plain).all()
    small[workflows.nodes_of(small, "HRVReferenceStrength")[0]]["inputs"]["image"] = 3
    with pytest.raises(HRVError, match="no reference image 3: this conditioning has 2 of them"):
        tiny_server.client.run(small)
