"""HRV Build as its user sees it: progress and previews over the websocket, cancel, go on, and no trace left behind."""

from __future__ import annotations

import numpy as np
import pytest

from comfyui_hrv.tests.workflows import with_values
from hrv_engine.relevance import files
from hrv_engine.remote.progress import events
from hrv_engine.remote.prompt import PromptCancelled

from .squares_graphs import build_graph, draw_graph

ASKED = {"text": "a rose square", "word": "rose", "desired": "Color", "undesired": "Plant"}
IMAGES, BATCH, STEPS = 20, 4, 8


def small_build(save_as: str) -> dict:
    return with_values(build_graph(save_as, "Color"), limit=IMAGES, batch_size=BATCH, steps=STEPS)


def votes(server, name: str):
    return files.load(server.models / "hrv" / f"{name}.safetensors").votes


def plain_image(server) -> np.ndarray:
    """Drawn anew: the server forgets its cached results first."""
    server.client.fetch("/free", {"free_memory": True})
    outputs = server.client.run(draw_graph(ASKED, 5))
    return np.asarray(server.client.images(outputs, "image")[0])


@pytest.fixture(scope="module")
def cancelled(server) -> dict:
    """A build that was cancelled on its way: plain images around it, the events seen, images kept in its file."""
    before, seen = plain_image(server), []
    with events(server.client) as messages:
        number = server.client.submit(small_build("cancelled"))
        for event in messages:
            seen.append(event)
            if event["type"] == "progress" and event["data"]["value"] > event["data"]["max"] // 2:
                break
        server.client.stop(number)
    with pytest.raises(PromptCancelled):
        server.client.wait(number)
    return {"before": before, "after": plain_image(server), "seen": seen, "kept": votes(server, "cancelled").images}


def test_a_build_shows_its_progress_and_a_preview(cancelled):
    values = [event["data"]["value"] for event in cancelled["seen"] if event["type"] == "progress"]
    assert values == sorted(values) and len(set(values)) > 2
    assert any(event["type"] == "preview" and len(event["data"]) > 100 for event in cancelled["seen"])


def test_a_cancelled_build_keeps_the_batches_it_has_counted(cancelled):
    assert 0 < cancelled["kept"] < IMAGES
    assert cancelled["kept"] % BATCH == 0


def test_a_plain_run_after_a_cancelled_build_is_bit_identical(cancelled):
    np.testing.assert_array_equal(cancelled["after"], cancelled["before"])


def test_a_build_that_goes_on_ends_with_the_votes_of_one_that_was_never_cancelled(server, cancelled):
    server.client.run(with_values(small_build("cancelled"), resume=True))
    server.client.run(small_build("whole"))
    resumed, whole = votes(server, "cancelled"), votes(server, "whole")
    assert resumed.images == whole.images == IMAGES
    np.testing.assert_array_equal(resumed.counts, whole.counts)


def test_a_plain_run_after_a_steered_one_is_bit_identical(server, cancelled):
    server.client.run(small_build("steering"))
    server.client.run(draw_graph(ASKED, 5, "steering.safetensors"))
    np.testing.assert_array_equal(plain_image(server), cancelled["before"])
