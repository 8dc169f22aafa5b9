"""The graphs that only experiments use, 26 and 27, on a full-size SD1.5 with random weights."""

from __future__ import annotations

import numpy as np
import pytest

from comfyui_hrv.tests import workflows

SMALL = {"width": 64, "height": 64, "steps": 2, "limit": 3, "keep": "Color, Plants, Animals", "resume": False}


@pytest.fixture(scope="module")
def object_info(server, sd15_checkpoint) -> dict:
    return server.client.object_info()


def test_33_counts_votes_step_by_step_and_draws_how_alike_steps_and_concepts_are(server, object_info):
    prompt = workflows.with_values(
        workflows.converted("33 SD1.5 - see heads over time", object_info), **SMALL, perplexity=2
    )
    outputs = server.client.run(prompt, timeout=900)
    shown = [node for kind in ("HRVTSNE", "HRVSimilarity") for node in workflows.nodes_of(prompt, kind)]
    assert len(shown) == 3
    for node in shown:
        assert np.asarray(server.client.images(outputs, node)[0]).std() > 5
    texts = [outputs[node]["text"][0] for node in workflows.nodes_of(prompt, "HRVSimilarity")]
    assert any("timesteps" in text for text in texts) and any("concepts" in text for text in texts)


def test_28_compares_vectors_before_and_after_a_concept_was_added(server, object_info):
    prompt = workflows.converted("28 SD1.5 - add a concept of your own", object_info)
    few = workflows.with_values(prompt, **{**SMALL, "keep": "Color, Plants"})
    _, after = workflows.nodes_of(few, "HRVConcepts")
    few[after]["inputs"]["keep"] = "Color, Plants, Tableware"
    outputs = server.client.run(few, timeout=900)
    (compare,) = workflows.nodes_of(few, "HRVCompare")
    text = outputs[compare]["text"][0]
    assert "2 shared concepts" in text and "only in the new file: Tableware" in text
    for node in (compare, *workflows.nodes_of(few, "HRVHeatmap")):
        assert np.asarray(server.client.images(outputs, node)[0]).std() > 5
    for name in ("sd15_before", "sd15_tableware"):
        assert (server.models / "hrv" / f"{name}.safetensors").exists()
