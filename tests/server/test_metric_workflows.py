"""The workflows that measure, 23 and 24, through /prompt: the pocket model, and tiny judges of the real classes."""

from __future__ import annotations

import json
import os
import re

import numpy as np
import pytest
from PIL import Image

from comfyui_hrv.tests import tiny_eval, workflows
from comfyui_hrv.tools.thumbnails import write_thumbnail
from hrv_engine.remote.prompt import PromptFailed, PromptRefused

NUMBER = r"(-?\d\.\d{4})"


@pytest.fixture(scope="module")
def object_info(server, stand_ins) -> dict:
    return server.client.object_info()


def titled(name: str, title: str) -> str:
    """The id of a workflow's node by its title."""
    return next(str(node["id"]) for node in workflows.read(name)["nodes"] if node.get("title") == title)


def difference(text: str) -> tuple[float, float, float]:
    """The mean difference of a comparison and the ends of its interval."""
    found = re.search(rf"−[^\n]*: {NUMBER} \({NUMBER} to {NUMBER}\), 95 %", text)
    assert found, text
    mean, low, high = map(float, found.groups())
    return mean, low, high


@pytest.mark.thumbnail
def test_38_shows_that_the_adjusted_word_is_read_right_more_often(server, object_info):
    name = "38 Score two methods"
    prompt = workflows.converted(name, object_info)
    writing = bool(os.environ.get("HRV_WRITE_THUMBNAILS"))
    outputs = server.client.run(prompt if writing else workflows.with_values(prompt, amount=16, steps=8))
    text = outputs[titled(name, "Both at once: numbers")]["text"][0]
    pairs = 24 if writing else 16
    assert text.startswith(f"minimum over objects: probability of the word of olive and car, {pairs} pairs\n")
    mean, low, high = difference(text)
    assert 0 < low < mean < high <= 1 and "shows a difference" in text
    mean, low, high = difference(outputs[titled(name, "The fruit: numbers")]["text"][0])
    assert -1 <= low < mean < high < 0, "the fruit that was not meant is still there"
    (figure,) = server.client.images(outputs, titled(name, "Both at once: figure"))
    assert np.asarray(figure).std() > 10
    if writing:
        rows = [server.client.images(outputs, titled(name, title)) for title in ("Plain", "The word adjusted")]
        write_thumbnail(name, [_below(figure, rows)])


def _below(figure: Image.Image, rows: list[list[Image.Image]], shown: int = 6) -> Image.Image:
    """The figure over the first images of each row."""
    side = figure.width // shown
    sheet = Image.new("RGB", (figure.width, figure.height + side * len(rows)), "white")
    sheet.paste(figure)
    for number, row in enumerate(rows):
        for place, picture in enumerate(row[:shown]):
            sheet.paste(picture.resize((side, side)), (place * side, figure.height + number * side))
    return sheet


def test_38_at_strength_0_has_no_difference_and_an_interval_without_width(server, object_info):
    name = "38 Score two methods"
    few = workflows.with_values(workflows.converted(name, object_info), strength=0.0, amount=3, steps=4)
    outputs = server.client.run(few)
    for title in ("The fruit: numbers", "Both at once: numbers"):
        text = outputs[titled(name, title)]["text"][0]
        assert difference(text) == (0, 0, 0) and "shows no difference" in text and "higher in 0 pairs" in text


def test_39_scores_edits_of_a_full_size_sd15_by_clip_captions_and_background(
    server, sd15_checkpoint, sd15_vectors, random_clip, object_info
):  # fmt: skip
    name = "39 SD1.5 - score edits"
    prompt = workflows.converted(name, server.client.object_info())
    few = workflows.with_values(prompt, width=64, height=64, steps=2, seeds=2, threshold=0.5)
    (clip,) = workflows.nodes_of(few, "HRVCLIPScorer")
    few[clip]["inputs"] |= {"file": random_clip, "architecture": workflows.SMALLEST_CLIP}
    scored = workflows.nodes_of(few, "HRVScoreImages")
    few |= {f"rows {node}": {"class_type": "PreviewAny", "inputs": {"source": [node, 0]}} for node in scored}
    outputs = server.client.run(few, timeout=900)
    tables = [[json.loads(line) for line in outputs[f"rows {node}"]["text"][0].splitlines()] for node in scored]
    assert [len(rows) for rows in tables] == [2, 2, 2, 2]
    captions = [row["caption"] for rows in tables for row in rows if "caption" in row]
    assert len(captions) == 4 and set(" ".join(captions).split()) <= set(tiny_eval.WORDS)
    assert {row["word"] for rows in tables for row in rows} == {"a red car"}
    starts = {
        "The target prompt": "CLIP image-text similarity of a red car",
        "Captions": "caption similarity of a red car",
        "The background": "BG-DINO of car",
    }
    for title, start in starts.items():
        text = outputs[titled(name, f"{title}: numbers")]["text"][0]
        assert text.startswith(f"{start}, 2 pairs\n")
        mean, low, high = difference(text)
        assert low <= mean <= high
        assert np.asarray(server.client.images(outputs, titled(name, f"{title}: figure"))[0]).std() > 10
    for title in ("Compared (P2P)", "Compared (P2P with HRV)"):
        shown = np.stack([np.asarray(image) for image in server.client.images(outputs, titled(name, title))])
        black = (shown == 0).all(-1).mean((1, 2))
        assert shown.shape == (4, 64, 64, 3) and (black > 0).all() and (black < 1).all()


def test_a_judge_that_is_not_there_is_named_before_anything_runs(server, object_info):
    prompt = workflows.with_values(workflows.converted("39 SD1.5 - score edits", object_info), captioner="blip9")
    with pytest.raises(PromptRefused) as refusal:
        server.client.submit(prompt)
    assert "blip9" in str(refusal.value.node_errors)
    assert not server.client.get("/queue")["queue_running"], "what the server took of it would run for hours"


def judged(model: str, segmenter: str) -> dict[str, dict]:
    """An image against itself upside down, without the car."""
    asked = {"model": model, "words": "car", "segmenter": segmenter, "threshold": 0.5}
    pictures = {"source": ["picture", 0], "edited": ["flipped", 0]}
    nodes = {
        "picture": ("LoadImage", {"image": "example.png"}),
        "flipped": ("ImageFlip", {"image": ["picture", 0], "flip_method": "x-axis: vertically"}),
        "score": ("HRVBackgroundSimilarity", {**pictures, **asked}),
        "show": ("PreviewAny", {"source": ["score", 0]}),
        "seen": ("PreviewImage", {"images": ["score", 3]}),
    }
    return {name: {"class_type": kind, "inputs": inputs} for name, (kind, inputs) in nodes.items()}


def test_objects_are_found_by_grounding_dino_and_outlined_by_sam_2_in_the_server(server, object_info):
    _, dino, _, detector, outliner = workflows.JUDGES
    outputs = server.client.run(judged(dino, f"{detector} + {outliner}"))
    (row,) = map(json.loads, outputs["show"]["text"][0].splitlines())
    seen = np.stack([np.asarray(image) for image in server.client.images(outputs, "seen")])
    black = (seen == 0).all(-1).mean((1, 2))
    assert 0 < row["object"] < 1 and black[0] >= row["object"] - 0.01 and -1 <= row["score"] < 1
    assert (row["word"], row["scorer"]) == ("car", "BG-DINO")


def test_a_download_that_is_asked_for_without_a_network_says_what_it_would_fetch(server, object_info):
    graph = judged("facebook/dinov2-base (download)", workflows.JUDGES[2])
    with pytest.raises(PromptFailed) as failure:
        server.client.run(graph)
    assert failure.value.node_type == "HRVBackgroundSimilarity"
    assert "facebook/dinov2-base cannot be loaded as DINOv2" in failure.value.message
    assert "A download of 0.35 GB needs a network" in failure.value.message
