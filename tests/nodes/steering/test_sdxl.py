"""The SDXL family: two text encoders, pooled vectors, transformers of several blocks a layer."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import nodes
from comfyui_hrv.hrv_engine.benchmarks.prompts import PromptSet
from comfyui_hrv.hrv_engine.relevance.concepts import Concept, ConceptSet
from comfyui_hrv.nodes.host.build import BuildSettings, build
from comfyui_hrv.nodes.host.conditioning import KEY
from comfyui_hrv.nodes.host.unet import layout_of, model_family
from comfyui_hrv.nodes.prompt import HRVPrompt
from comfyui_hrv.nodes.steering.adjust import HRVConceptAdjust

from ..explicit import relative, with_explicit_maps
from ..tiny import Trio, tiny_sdxl

pytestmark = pytest.mark.usefixtures("inference_mode")
CONCEPTS = ConceptSet("two", (Concept("Color", ("red", "light blue")), Concept("Plants", ("tree", "oak tree"))))


@pytest.fixture(scope="module")
def trio() -> Trio:
    with torch.inference_mode():
        return tiny_sdxl()


def votes(trio: Trio, batch_size: int):
    prompts = PromptSet("three", ("a red dog", "a tree", "a blue house"))
    settings = BuildSettings(64, 64, 2, 5.0, "euler", "normal", 3, batch_size, 2, "per layer", True, False)
    zeroed = nodes.ConditioningZeroOut().zero_out(trio.encode(""))[0]
    return build(trio.model, trio.clip, CONCEPTS, prompts, settings, negative=zeroed)


def test_the_layout_counts_every_transformer_block(trio):
    layout = layout_of(trio.model)
    assert [site.key for site in layout.sites][:2] == [("input", 3, 0), ("input", 3, 1)]
    assert all(site.head_dim == 16 for site in layout.sites)


def test_adjusting_equals_scaling_the_softmax_map_in_both_encoders_columns(trio):
    hrv = votes(trio, 1).relevance()
    positive, negative = HRVPrompt.execute(trio.clip, "a rose-colored vase").args[0], trio.encode("")
    assert torch.equal(positive[0][0], trio.encode("a rose-colored vase")[0][0])
    columns = positive[0][1][KEY].table.columns_of("rose-colored")
    settings = ("rose-colored", "Color", "Plants", 2.0, 1.0, 1.0, 0, 1.5, 0.0, 1.0)
    model, steered = HRVConceptAdjust.execute(trio.model, positive, hrv, *settings).args
    r = 2 * np.minimum(hrv.row("Color"), 1.5) - np.minimum(hrv.row("Plants"), 1.5)
    explicit = with_explicit_maps(trio.model, hrv.layout, torch.from_numpy(r), columns)
    ours = trio.sample(model, steered, negative)
    assert relative(ours, trio.sample(explicit, positive, negative)) <= 1e-5
    assert relative(ours, trio.sample(trio.model, positive, negative)) > 1e-4


def test_building_counts_every_head_and_does_not_depend_on_the_batch_size(trio):
    one, three = votes(trio, 1), votes(trio, 3)
    assert (one.counts.sum(axis=0) == 3 * 2 * 2).all()
    assert np.array_equal(one.counts, three.counts)
    assert one.recipe["model_family"] == model_family(trio.model) == "TinySDXL"
