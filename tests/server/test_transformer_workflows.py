"""The graphs of heads of transformers, 38 and 39, through /prompt on tiny models of the host's classes."""

from __future__ import annotations

import numpy as np

from comfyui_hrv.tests import workflows
from hrv_engine.relevance import files

from .test_prompt_weight_workflows import SMALL, on_tiny, pixels


def test_26_finds_the_heads_of_a_transformer_and_11_steers_with_them(tiny_server):
    client = tiny_server.client
    names = "26 Qwen-Image - build head vectors for a DiT", "11 Qwen-Image - fix a misread word"
    build, fix = (on_tiny(workflows.converted(name, client.object_info()), "Qwen-Image") for name in names)
    small = workflows.with_values(build, **SMALL | {"steps": 4}, timesteps=1, integration=1, keep="Color, Plants")
    outputs = client.run(small, timeout=900)
    built = files.load(tiny_server.models / "hrv" / "qwen_image_effect.safetensors")
    assert built.method == "effect" and set(built.voted) == {"Color", "Plants"} and built.sums.images == 20
    (report,) = workflows.nodes_of(small, "PreviewAny")
    assert "By effect, 20 samples" in outputs[report]["text"][0]
    (heat_map,) = workflows.nodes_of(small, "HRVHeatmap")
    fixed = workflows.with_values(fix, **SMALL)
    drawn = client.run(fixed, timeout=900)
    plain, adjusted = (pixels(tiny_server, drawn, node) for node in workflows.nodes_of(fixed, "PreviewImage"))
    assert plain.std() > 5 and (plain != adjusted).any()
    neutral = client.run(workflows.with_values(fixed, strength=0.0), timeout=900)
    after = [pixels(tiny_server, neutral, node) for node in workflows.nodes_of(fixed, "PreviewImage")]
    np.testing.assert_array_equal(after[1], plain)
