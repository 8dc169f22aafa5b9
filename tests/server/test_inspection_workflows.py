"""The workflows that look into a model, 30 to 37, through /prompt: on the pocket model and on a full-size SD1.5."""

from __future__ import annotations

import os
import re

import numpy as np
import pytest

from comfyui_hrv.tests import workflows
from comfyui_hrv.tools.thumbnails import write_thumbnail
from hrv_engine.remote.prompt import PromptFailed

WRITE_THUMBNAILS = bool(os.environ.get("HRV_WRITE_THUMBNAILS"))


@pytest.fixture(scope="module")
def object_info(server) -> dict:
    return server.client.object_info()


def pixels(server, outputs: dict, node: str) -> np.ndarray:
    """A preview node's images, [images height width 3] in 0..255."""
    return np.stack([np.asarray(image) for image in server.client.images(outputs, node)])


def titled(name: str, title: str) -> str:
    """The id of a workflow's node by its title."""
    return next(str(node["id"]) for node in workflows.read(name)["nodes"] if node.get("title") == title)


@pytest.mark.thumbnail
def test_34_weakens_heads_beside_plain_images(server, object_info):
    name = "34 Weaken the heads of a concept"
    prompt = workflows.quick(name, object_info)
    outputs = server.client.run(prompt if WRITE_THUMBNAILS else workflows.with_values(prompt, steps=4))
    titles = ("Plain", "Most relevant heads weakened", "Least relevant heads weakened")
    plain, most, least = (pixels(server, outputs, titled(name, title)).astype(int) for title in titles)
    assert plain.shape == most.shape == least.shape and len(plain) > 1
    assert np.abs(plain - most).mean() > 1 and np.abs(plain - least).mean() > 1 and np.abs(most - least).mean() > 1
    if WRITE_THUMBNAILS:
        rows = {title: server.client.images(outputs, titled(name, of))[:2] for title, of in
                zip(("plain", "12 heads of Color off"), titles, strict=False)}  # fmt: skip
        write_thumbnail(name, rows)


@pytest.mark.thumbnail
def test_35_draws_a_sheet_of_more_and_more_heads_and_measures_it_over_prompts(server, object_info):
    name = "35 Watch a concept vanish, measured"
    prompt = workflows.quick(name, object_info)
    whole = WRITE_THUMBNAILS
    outputs = server.client.run(prompt if whole else workflows.with_values(prompt, steps=4, prompts=3))
    sweep, _ = workflows.nodes_of(prompt, "HRVWeakenSweep")
    (sweep,) = server.client.images(outputs, sweep)
    assert sweep.width > 7 * 96 and sweep.height > 4 * 96
    (curve,) = server.client.images(outputs, titled(name, "Curve"))
    assert np.asarray(curve).std() > 10
    areas = outputs[titled(name, "Areas")]["text"][0]
    assert f"{4 if whole else 3} prompts" in areas and "area LeRHF - MoRHF" in areas and "random orders" in areas
    if WRITE_THUMBNAILS:
        write_thumbnail(name, [sweep])


def test_36_with_other_weights_under_that_name_says_which_ones_belong_there(server, stand_ins, object_info):
    prompt = workflows.converted("36 SD1.5 - watch a concept vanish", object_info)
    (scorer,) = workflows.nodes_of(prompt, "HRVCLIPScorer")
    show = {"class_type": "PreviewAny", "inputs": {"source": [scorer, 0]}}
    with pytest.raises(PromptFailed) as failure:
        server.client.run({scorer: prompt[scorer], "show": show})
    assert f"{workflows.CLIP_FILE} holds no text encoder" in failure.value.message


def test_36_scores_the_papers_experiment_on_a_full_size_sd15_with_clip(
    server, sd15_checkpoint, sd15_vectors, random_clip, object_info
):  # fmt: skip
    name = "36 SD1.5 - watch a concept vanish"
    prompt = workflows.converted(name, server.client.object_info())
    few = workflows.with_values(prompt, width=64, height=64, steps=1, heads="0, 128", prompts=2)
    (scorer,) = workflows.nodes_of(few, "HRVCLIPScorer")
    few[scorer]["inputs"] |= {"file": random_clip, "architecture": workflows.SMALLEST_CLIP}
    outputs = server.client.run(few, timeout=900)
    areas = outputs[titled(name, "Areas")]["text"][0]
    assert "2 prompts, H = 128" in areas and "area LeRHF - MoRHF over k/H = +0.0000" in areas  # both ends are shared
    assert len(server.client.images(outputs, titled(name, "Sheets"))) == 2
    assert np.asarray(server.client.images(outputs, titled(name, "Curve"))[0]).std() > 10


def test_37_is_valid_and_stops_only_at_the_checkpoint_that_is_not_there(server, stand_ins, random_clip):
    """SDXL at full size does not fit a test machine: the files it names exist, but hold nothing to load."""
    prompt = workflows.converted("37 SDXL - watch a concept vanish", server.client.object_info())
    (scorer,) = workflows.nodes_of(prompt, "HRVCLIPScorer")
    prompt[scorer]["inputs"] |= {"file": random_clip, "architecture": workflows.SMALLEST_CLIP}
    with pytest.raises(PromptFailed) as failure:
        server.client.run(prompt)
    assert failure.value.node_type == "CheckpointLoaderSimple"


@pytest.mark.thumbnail
def test_30_draws_every_view_of_head_vectors(server, object_info):
    name = "30 See inside head vectors"
    prompt = workflows.converted(name, object_info)
    outputs = server.client.run(prompt)
    for kind in ("HRVHeatmap", "HRVSimilarity", "HRVHeadConcepts"):
        (shown,) = workflows.nodes_of(prompt, kind)
        assert pixels(server, outputs, shown).std() > 5, kind
    heads = outputs[titled(name, "Top heads")]["text"][0]
    assert heads.startswith("Color") and "Fruit" in heads
    report = outputs[titled(name, "Report")]["text"][0]
    assert "128 heads" in report and "96 images" in report
    if WRITE_THUMBNAILS:
        _write_views(server, outputs, name, ("Which heads carry a concept", "Which concepts share heads"))


@pytest.mark.thumbnail
def test_31_shows_where_words_look_in_all_heads_and_in_those_of_a_concept(server, object_info):
    name = "31 See where words look"
    prompt = workflows.converted(name, object_info)
    outputs = server.client.run(prompt if WRITE_THUMBNAILS else workflows.with_values(prompt, steps=6))
    every, color = (pixels(server, outputs, node) for node in workflows.nodes_of(prompt, "HRVTokenMapView"))
    assert every.std() > 5 and color.std() > 5 and (every.shape != color.shape or (every != color).any())
    if WRITE_THUMBNAILS:
        _write_views(server, outputs, name, ("All heads",))


@pytest.mark.thumbnail
def test_32_compares_the_steps_of_a_quick_build_and_the_build_with_a_longer_one(server, object_info):
    name = "32 See heads over time"
    prompt = workflows.converted(name, object_info)
    outputs = server.client.run(prompt if WRITE_THUMBNAILS else workflows.with_values(prompt, steps=6))
    for kind in ("HRVTSNE", "HRVSimilarity", "HRVLogitScale", "HRVCompare"):
        (shown,) = workflows.nodes_of(prompt, kind)
        assert pixels(server, outputs, shown).std() > 5, kind
    (compare,) = workflows.nodes_of(prompt, "HRVCompare")
    moved = re.match(r"12 shared concepts: mean cosine (\S+), lowest (\S+)\n", outputs[compare]["text"][0])
    assert moved and float(moved[1]) > 0.98 and float(moved[2]) > 0.95, "the quick build is not like the shipped one"
    if WRITE_THUMBNAILS:
        _write_views(server, outputs, name, ("Concepts over time", "Timesteps"))


def _write_views(server, outputs: dict, name: str, titles: tuple[str, ...]) -> None:
    pictures = [server.client.images(outputs, titled(name, title))[0] for title in titles]
    side = max(max(picture.size) for picture in pictures)
    write_thumbnail(name, [_squared(picture, side) for picture in pictures])


def _squared(picture, side: int):
    """The image enlarged to fit a white square of this side."""
    from PIL import Image

    zoom = side / max(picture.size)
    large = picture.resize((round(picture.width * zoom), round(picture.height * zoom)), Image.Resampling.LANCZOS)
    ground = Image.new("RGB", (side, side), (255, 255, 255))
    ground.paste(large, ((side - large.width) // 2, (side - large.height) // 2))
    return ground
