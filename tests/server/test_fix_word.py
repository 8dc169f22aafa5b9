"""Graph 01 through the real server: one node that draws what the long graph draws."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from comfyui_hrv.tests import workflows
from comfyui_hrv.tools.api_format import path_of
from comfyui_hrv.tools.thumbnails import write_thumbnail

NAME = "01 Fix a misread word"


def drawn(server, prompt: dict) -> tuple[np.ndarray, np.ndarray, dict]:
    """Images before and after, [images height width 3] in 0..255, and all outputs."""
    outputs = server.client.run(prompt)
    before, after = np.split(np.stack([np.asarray(image, int) for image in shown(server, prompt, outputs)]), 2)
    return before, after, outputs


def shown(server, prompt: dict, outputs: dict) -> list[Image.Image]:
    """The images under the slider: those before, then those after."""
    (slider,) = workflows.nodes_of(prompt, "HRVBeforeAfter")
    return server.client.images(outputs, slider)


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
def test_01_turns_the_word_as_the_long_graph_does_and_says_so(server):
    prompt = workflows.with_values(workflows.quick(NAME, server.client.object_info()), amount=2)
    before, after, outputs = drawn(server, prompt)
    assert np.abs(before - after).mean() > 1, "the images after are those before"
    (fix,) = workflows.nodes_of(prompt, "HRVFixWord")
    assert '"orange" means Color, not Fruit' in outputs[fix]["text"][0]
    shipped = "drawings" if workflows.WRITE_THUMBNAILS else "pocket"
    long = long_graph(prompt, f"preset: {shipped}_effect.safetensors")
    for ours, theirs in zip((before, after), drawn(server, long)[:2], strict=True):
        np.testing.assert_array_equal(ours, theirs)
    neutral = drawn(server, workflows.with_values(prompt, strength=0.0))
    np.testing.assert_array_equal(neutral[1], before)
    if workflows.WRITE_THUMBNAILS:
        images = shown(server, prompt, outputs)
        write_thumbnail(NAME, {"before": images[:2], "after": images[2:4]})


def test_the_script_of_the_readme_posts_a_prompt_and_saves_its_images(server, repository: Path, tmp_path, monkeypatch):
    (script,) = re.findall(r"```python\n(.*?)```", (repository / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "script.py").write_text(script.replace("http://127.0.0.1:8188", server.client.url), encoding="utf-8")
    quick = workflows.with_values(workflows.quick(NAME, server.client.object_info()), amount=1)
    (tmp_path / "workflows" / "api").mkdir(parents=True)
    (tmp_path / "workflows" / "api" / f"{NAME}.json").write_text(json.dumps(quick), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    runpy.run_path("script.py")
    assert [Image.open(path).size for path in tmp_path.glob("*.png")] == [(128, 128)] * 2


def test_the_prompts_for_scripts_are_what_the_graphs_send(server):
    object_info = server.client.object_info()
    stale = [
        name
        for name in workflows.NAMES
        if json.loads(path_of(name).read_text(encoding="utf-8")) != workflows.converted(name, object_info)
    ]
    assert stale == [], "python -m tools.make_workflows writes them"
