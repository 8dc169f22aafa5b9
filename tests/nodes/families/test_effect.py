"""HRV Build by Effect on transformers with encoders of their own: whole builds, in parts and without a gradient."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from comfyui_hrv.hrv_engine.relevance import files
from comfyui_hrv.hrv_engine.relevance.build_settings import FORWARD, EffectSettings
from comfyui_hrv.hrv_engine.relevance.concepts import Concept, ConceptSet
from comfyui_hrv.hrv_engine.relevance.samples import SampleSet, Templates
from comfyui_hrv.nodes.host.build_effect import build_by_effect
from comfyui_hrv.nodes.steering.adjust import HRVConceptAdjust

from ..host.tiny_encoders import ENCODERS
from .test_with_the_nodes import SIZES
from .tiny_models import TINY

pytestmark = pytest.mark.usefixtures("inference_mode")
CONCEPTS = ConceptSet("two", (Concept("Color", ("red", "blue")), Concept("Things", ("car", "house"))))
TEMPLATES = Templates.parse("Color: a {} house\nall: a photo [of a {}]")
SETTINGS = EffectSettings(64, 64, 4, 3.0, "euler", "simple", 7, 1, 2, 1)
NAMES = ["Flux.1", "Z-Image", "Qwen-Image", "Wan"]


def pair(name: str) -> tuple:
    """A tiny MODEL of a family and the CLIP that belongs to it."""
    option, width, more = SIZES[name]
    tiny = replace(TINY[name], config=TINY[name].config | {option: width} | more, extra={}, channels=32)
    return tiny.model(), ENCODERS[name].clip()


@pytest.mark.parametrize("name", NAMES)
def test_parts_files_and_the_way_without_a_gradient_work_as_on_unets(name, tmp_path):
    model, clip = pair(name)
    samples = SampleSet(CONCEPTS, TEMPLATES)
    whole = build_by_effect(model, clip, samples, SETTINGS, path=tmp_path / "whole.safetensors")
    parts = [
        build_by_effect(
            model, clip, samples, SETTINGS, path=tmp_path / f"{start}.safetensors", start=start, count=count
        )
        for start, count in ((0, 1), (1, 0))
    ]
    files.save(tmp_path / "merged.safetensors", (parts[1] + parts[0]).relevance())
    assert (tmp_path / "merged.safetensors").read_bytes() == (tmp_path / "whole.safetensors").read_bytes()
    forward = replace(SETTINGS, estimate=FORWARD, pairs=0, batch_size=8)
    found = build_by_effect(model, clip, samples, forward, count=1).word_means[0]
    exact = whole.word_means[0]
    assert found @ exact / np.linalg.norm(found) / np.linalg.norm(exact) > 0.99
    hrv = whole.relevance()
    assert set(hrv.voted) == {"Color", "Things"}
    from comfyui_hrv.nodes.prompt import HRVPrompt

    positive = HRVPrompt.execute(clip, "a red house").args[0]
    asked = ("red", "Color", "Things", 2.0, 1.0, 1.0, 0, 0.0, 0.0, 1.0)
    assert HRVConceptAdjust.execute(model, positive, hrv, *asked).args[0] is not model
