"""The workflows of several objects, 18 to 21, through /prompt: on the pocket model and on a full-size SD1.5."""

from __future__ import annotations

import os

import numpy as np
import pytest

from comfyui_hrv.tests import workflows
from comfyui_hrv.tools.thumbnails import write_thumbnail
from hrv_engine.remote.progress import events
from hrv_engine.remote.prompt import PromptCancelled, PromptFailed

SMALL = {"width": 64, "height": 64, "steps": 2}


@pytest.fixture(scope="module")
def object_info(server, stand_ins) -> dict:
    return server.client.object_info()


def previews(server, outputs: dict, prompt: dict) -> list[np.ndarray]:
    """The images of every preview, [images height width 3] in 0..255, in the graph's order."""
    return [
        np.stack([np.asarray(image) for image in server.client.images(outputs, node)]).astype(int)
        for node in workflows.nodes_of(prompt, "PreviewImage")
    ]


def reports(outputs: dict, prompt: dict) -> list[str]:
    return [outputs[node]["text"][0] for node in workflows.nodes_of(prompt, "PreviewAny")]


@pytest.mark.thumbnail
def test_18_draws_the_same_noises_under_every_method_and_reports_their_losses(server, object_info):
    name = "18 Keep every object"
    prompt = workflows.converted(name, object_info)
    outputs = server.client.run(prompt)
    shown = previews(server, outputs, prompt)
    assert len(shown) == 5 and all(pictures.shape == shown[0].shape for pictures in shown)
    for number, pictures in enumerate(shown):
        for other in shown[:number]:
            assert np.abs(pictures - other).mean() > 0.5, "two methods draw the same images"
    texts = reports(outputs, prompt)
    assert [text.splitlines()[0] for text in texts] == ["20 of 20 steps altered; losses by image"] + [
        "10 of 20 steps altered; losses by image"
    ] * 2
    assert "SynGen, step 19: " in texts[0] and texts[1].count(", step ") == 10
    if os.environ.get("HRV_WRITE_THUMBNAILS"):
        plain, *_, excited = workflows.nodes_of(prompt, "PreviewImage")
        rows = {"plain": plain, "excited, by heads": excited}
        write_thumbnail(name, {title: server.client.images(outputs, node)[:3] for title, node in rows.items()})


def test_18_with_nothing_to_move_draws_the_plain_images(server, object_info):
    prompt = workflows.converted("18 Keep every object", object_info)
    still = workflows.with_values(prompt, step_size=0.0, batch_size=2)
    plain, structured, *moved = previews(server, server.client.run(still), still)
    for pictures in moved:
        np.testing.assert_array_equal(pictures, plain)
    assert (structured != plain).any()


@pytest.mark.parametrize("name", ["19 SD1.5 - keep every object", "21 SD1.5 - five methods for several objects"])
def test_a_graph_runs_on_a_full_size_sd15(server, sd15_checkpoint, sd15_vectors, object_info, name):
    prompt = workflows.with_values(
        workflows.converted(name, object_info),
        **SMALL,
        max_refinements=1,
        steps_to_alter=1,
        rivals="words of the prompt",
    )
    outputs = server.client.run(prompt, timeout=900)
    shown = previews(server, outputs, prompt)
    assert len(shown) == len(workflows.nodes_of(prompt, "KSampler")) and all(len(pictures) == 1 for pictures in shown)
    assert all((pictures != shown[0]).any() for pictures in shown[1:])
    for text in reports(outputs, prompt):
        assert text.startswith("1 of 2 steps altered")


def test_22_is_valid_and_stops_only_at_the_checkpoint_that_is_not_there(server, object_info):
    """SDXL at full size does not fit a test machine: the files it names exist, but hold nothing to load."""
    with pytest.raises(PromptFailed) as failure:
        server.client.run(workflows.converted("20 SDXL - keep every object", object_info))
    assert failure.value.node_type == "CheckpointLoaderSimple"


def test_a_run_can_be_cancelled_inside_a_refinement_and_the_next_is_as_if_it_had_not_been(server, object_info):
    prompt = workflows.converted("18 Keep every object", object_info)
    one = workflows.with_values(prompt, batch_size=1, thresholds="0:.999", max_refinements=2)
    before = previews(server, server.client.run(one), one)
    bars, endless = [], workflows.with_values(one, max_refinements=1000)
    with events(server.client) as messages:
        number = server.client.submit(endless)
        for event in messages:
            bars += [event["data"]["max"]] if event["type"] == "progress" else []
            if bars and bars[-1] == 1000:  # the bar of a refinement
                break
        server.client.stop(number)
    with pytest.raises(PromptCancelled):
        server.client.wait(number)
    again = workflows.with_values(one, seed=2)
    server.client.run(again)
    for a, b in zip(before, previews(server, server.client.run(one), one), strict=True):
        np.testing.assert_array_equal(a, b)


def test_what_cannot_be_guided_is_refused_at_the_node_with_the_fix(server, object_info):
    prompt = workflows.converted("18 Keep every object", object_info)
    for change, node, said in (
        ({"words": "cat, tulip"}, "HRVAttendExcite", '"cat" is not in the prompt'),
        ({"sampler_name": "uni_pc"}, "KSampler", "sampler uni_pc does not show"),
        ({"groups": "green tulip"}, "HRVSynGen", '"green" is not in the prompt'),
    ):
        with pytest.raises(PromptFailed) as failure:
            server.client.run(workflows.with_values(prompt, batch_size=1, **change))
        assert failure.value.node_type == node and said in failure.value.message
