"""Graph 40 through the real server: one node that draws what the long graph draws."""

from __future__ import annotations

import os

import numpy as np
import pytest

from comfyui_hrv.tests import workflows
from comfyui_hrv.tools.thumbnails import write_thumbnail

NAME = "40_fix_a_misread_word"


def drawn(server, prompt: dict) -> tuple[np.ndarray, np.ndarray, dict]:
    """Images before and after, [images height width 3] in 0..255, and all outputs."""
    outputs = server.client.run(prompt)
    previews = workflows.nodes_of(prompt, "PreviewImage")
    before, after = (np.stack([np.asarray(image) for image in server.client.images(outputs, n)]) for n in previews)
    return before.astype(int), after.astype(int), outputs


def long_graph(prompt: dict, vectors: str) -> dict:
    """The same prompt with HRV Prompt, HRV Load and HRV Concept Adjust in place of HRV Fix Word."""
    (fix,) = workflows.nodes_of(prompt, "HRVFixWord")
    asked = prompt[fix]["inputs"]
    turned = {"word": asked["word"], "desired": asked["meaning"], "undesired": asked["not_meaning"]}
    how = {"desired_weight": 2.0, "undesired_weight": 1.0, "strength": asked["strength"], "occurrence": 0}
    how |= {"clamp": 0.0, "start_percent": 0.0, "end_percent": 1.0}
    ends = {"model": asked["model"], "positive": ["encoded", 0], "hrv": ["vectors", 0]}
    return {
        **prompt,
        "encoded": {"class_type": "HRVPrompt", "inputs": {"clip": asked["clip"], "text": asked["text"]}},
        "vectors": {"class_type": "HRVLoad", "inputs": {"file": vectors}},
        fix: {"class_type": "HRVConceptAdjust", "inputs": {**ends, **turned, **how}},
    }


@pytest.mark.thumbnail
def test_40_turns_the_word_as_the_long_graph_does_and_says_so(server):
    prompt = workflows.converted(NAME, server.client.object_info())
    before, after, outputs = drawn(server, prompt)
    assert np.abs(before - after).mean() > 1, "the images after are those before"
    (fix,) = workflows.nodes_of(prompt, "HRVFixWord")
    assert '"orange" means Color, not Fruit' in outputs[fix]["text"][0]
    long = long_graph(prompt, "preset: pocket_effect.safetensors")
    for ours, theirs in zip((before, after), drawn(server, long)[:2], strict=True):
        np.testing.assert_array_equal(ours, theirs)
    neutral = drawn(server, workflows.with_values(prompt, strength=0.0))
    np.testing.assert_array_equal(neutral[1], before)
    if os.environ.get("HRV_WRITE_THUMBNAILS"):
        both = [server.client.images(outputs, node)[:2] for node in workflows.nodes_of(prompt, "PreviewImage")]
        write_thumbnail(NAME, [image for row in both for image in row])
