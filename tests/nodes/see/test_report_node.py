"""HRV Report: what it says of vectors, models and steered prompts is what is there."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import nodes
from comfyui_hrv.hrv_engine.benchmarks.prompts import PromptSet
from comfyui_hrv.hrv_engine.errors import HRVError
from comfyui_hrv.hrv_engine.relevance.concepts import Concept, ConceptSet
from comfyui_hrv.hrv_engine.relevance.relevance import HeadRelevance
from comfyui_hrv.nodes.host.build import BuildSettings, build
from comfyui_hrv.nodes.host.unet import fingerprint
from comfyui_hrv.nodes.prompt import HRVPrompt
from comfyui_hrv.nodes.see.report import HRVReport
from comfyui_hrv.nodes.steering.strengthen import HRVConceptStrengthen

from ..tiny import Trio, tiny_sdxl, tiny_trio

pytestmark = pytest.mark.usefixtures("inference_mode")
CONCEPTS = ConceptSet("two", (Concept("Color", ("red", "blue")), Concept("Animals", ("dog", "cat"))))


@pytest.fixture(scope="module")
def hrv(trio: Trio) -> HeadRelevance:
    settings = BuildSettings(64, 64, 2, 5.0, "euler", "normal", 7, 1, 1, "per layer", True, False)
    with torch.inference_mode():
        return build(trio.model, trio.clip, CONCEPTS, PromptSet("one", ("a dog",)), settings).relevance()


def steered(trio: Trio, hrv: HeadRelevance, text="a rose-colored vase", word="rose-colored"):
    positive = HRVPrompt.execute(trio.clip, text).args[0]
    settings = ("Color", 1.0, 0, 0.0, 0.2, 1.0)
    return HRVConceptStrengthen.execute(trio.model, positive, hrv, word, *settings).args


def text_of(**given) -> str:
    return HRVReport.execute(**given).args[0]


def test_vectors_and_their_own_model_are_said_to_belong_together(trio, hrv):
    text = text_of(hrv=hrv, model=trio.model)
    assert f"Built for TinySD15, weights {fingerprint(trio.model)}" in text
    assert "1 images" in text and hrv.layout.summary in text
    assert "built for this very checkpoint" in text and "no HRV steering" in text


def test_another_checkpoint_and_another_layout_are_told_apart(trio, hrv):
    other = tiny_trio(seed=5)
    assert "another checkpoint or with other LoRAs" in text_of(hrv=hrv, model=other.model)
    assert "do not fit the model" in text_of(hrv=hrv, model=tiny_sdxl().model)


def test_a_steered_prompt_names_its_words_tokens_heads_range_and_window(trio, hrv):
    model, positive = steered(trio, hrv)
    row = hrv.row("Color")
    text = text_of(model=model, positive=positive)
    touched = int((row != 1).sum())
    assert f"rose-colored: 3 tokens, {touched} of {row.size} heads rescaled" in text
    assert f"r from {row.min():.2f} to {row.max():.2f}, from 20% to 100%" in text
    assert "Warning" not in text and "carries out HRV steering" in text


def test_a_steered_prompt_without_the_steered_model_is_warned_about(trio, hrv):
    _, positive = steered(trio, hrv)
    assert "this will do nothing" in text_of(model=trio.model, positive=positive)


def test_combined_prompts_are_reported_one_by_one_and_foreign_ones_named_as_such(trio, hrv):
    _, positive = steered(trio, hrv)
    plain = HRVPrompt.execute(trio.clip, "a dog").args[0]
    both = nodes.ConditioningCombine().combine(positive, plain)[0]
    text = text_of(positive=nodes.ConditioningCombine().combine(both, trio.encode("x"))[0])
    assert 'Prompt "a dog": 2 tokens in 2 words\n  no steering' in text
    assert "not encoded by HRV Prompt" in text


def test_nothing_connected_is_refused_with_the_fix():
    with pytest.raises(HRVError, match="Connect hrv, model or positive"):
        text_of()


def test_with_the_sampled_latent_the_report_counts_what_was_done_in_the_run(trio, hrv):
    positive = HRVPrompt.execute(trio.clip, "a rose-colored vase").args[0]
    settings = ("rose-colored", "Color", 1.0, 0, 0.0, 0.0, 1.0)
    model, marked = HRVConceptStrengthen.execute(trio.model, positive, hrv, *settings).args
    latent = {"samples": trio.sample(model, marked, trio.encode(""), batch=3)}
    layers, steps = len(hrv.layout.sites), 2
    counted = (
        f"{layers} of {layers} layers, 2 of 2 steps, {3 * layers * steps} rows in {layers * steps} attention calls"
    )
    assert f"Last run: HRV steering: {counted}" in text_of(model=model, latent=latent)
    assert "Last run" not in text_of(model=model)
    other = HRVConceptStrengthen.execute(trio.model, positive, hrv, *settings).args[0]
    assert "Connect the MODEL that the sampler has" in text_of(model=other, latent=latent)
    assert "Connect the MODEL that the sampler has" in text_of(model=trio.model, latent=latent)
    trio.sample(model, positive, trio.encode(""))
    assert "HRV steering: nothing to do in this run" in text_of(model=model, latent=latent)


def test_a_latent_without_its_model_is_refused_with_the_fix(trio, hrv):
    with pytest.raises(HRVError, match="Connect the MODEL of its sampler"):
        text_of(hrv=hrv, latent={"samples": torch.zeros(1, 4, 8, 8)})


def test_imported_vectors_say_that_their_checkpoint_is_unknown(trio, hrv):
    imported = HeadRelevance(np.ones_like(hrv.values), hrv.concepts, hrv.layout, source={"imported_from": "x.npy"})
    assert "nothing is known of the checkpoint" in text_of(hrv=imported, model=trio.model)
