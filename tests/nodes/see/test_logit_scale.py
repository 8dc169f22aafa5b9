"""The logit scale of a build: equation 6, collected beside the votes without changing them."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import comfy.ldm.modules.attention as host_attention
import numpy as np
import pytest

from comfyui_hrv.hrv_engine.benchmarks.prompts import PromptSet
from comfyui_hrv.hrv_engine.errors import HRVError
from comfyui_hrv.hrv_engine.relevance import files
from comfyui_hrv.hrv_engine.relevance.concepts import Concept, ConceptSet
from comfyui_hrv.hrv_engine.relevance.voting import WordSampler
from comfyui_hrv.nodes.host.build import BuildSettings, build
from comfyui_hrv.nodes.host.families.unet_layers import cross_attentions
from comfyui_hrv.nodes.host.unet import layout_of
from comfyui_hrv.nodes.host.words import word_bank
from comfyui_hrv.nodes.see.logit_scale import HRVLogitScale

from ..tiny import Trio

pytestmark = pytest.mark.usefixtures("inference_mode")
CONCEPTS = ConceptSet(
    "two", (Concept("Color", ("red", "blue", "rose-colored")), Concept("Animals", ("dog", "cat", "very big dog")))
)
PROMPTS = PromptSet("four", ("a dog", "a red cat", "two boats", "a house"))
SETTINGS = BuildSettings(64, 64, 2, 5.0, "euler", "normal", 7, 2, 2, "per layer", True, False, True)


def run(trio: Trio, prompts: PromptSet = PROMPTS, path=None, **changes):
    return build(trio.model, trio.clip, CONCEPTS, prompts, replace(SETTINGS, **changes), path=path)


def test_mean_and_std_equal_a_slow_count_of_equation_6(trio):
    votes = run(trio, PromptSet("one", ("a red dog",)), batch_size=1)
    layout, bank = layout_of(trio.model), word_bank(trio.clip, CONCEPTS)
    sampler = WordSampler(bank, SETTINGS.seed, SETTINGS.draws, SETTINGS.sampling, SETTINGS.bos_key)
    attentions = dict(cross_attentions(trio.model.model.diffusion_model))
    found, call = np.zeros((SETTINGS.steps, layout.total)), [-1]

    def measure(q, k, v, options):
        block, heads = (*options["block"], options["block_index"]), options["n_heads"]
        number = [site.key for site in layout.sites].index(block)
        call[0] += number == 0
        ballot = sampler.ballots([0], call[0], [site.heads for site in layout.sites])[number]
        row, dim = options["cond_or_uncond"].index(0), q.shape[-1] // heads
        for head in range(heads):
            query, sizes = q[row, :, head * dim : (head + 1) * dim], []
            for draw in range(SETTINGS.draws):
                tokens = [
                    int(r) for r, c in zip(ballot.rows[0, draw, 0], ballot.concept[0, draw, 0], strict=True) if c >= 0
                ]
                keys = attentions[block].to_k(bank.embeddings[tokens])[:, head * dim : (head + 1) * dim]
                sizes.append(float((query @ keys.T / dim**0.5).abs().mean()))
            found[call[0], layout.offset(block) + head] = np.mean(sizes)
        return host_attention.optimized_attention(q, k, v, heads, transformer_options=options)

    counted = trio.model.clone()
    for site in layout.sites:
        counted.set_model_attn2_replace(measure, *site.key[:2], site.key[2])
    trio.sample(counted, trio.encode("a red dog"), trio.encode(""), seed=SETTINGS.seed, steps=SETTINGS.steps)
    assert votes.logits.count == SETTINGS.steps
    np.testing.assert_allclose(votes.logits.mean, found.mean(0), rtol=1e-4)
    np.testing.assert_allclose(votes.logits.std, found.std(0), rtol=1e-2, atol=1e-4)


def test_measuring_changes_no_vote(trio):
    with_scale, without = run(trio), run(trio, logit_scale=False)
    np.testing.assert_array_equal(with_scale.counts, without.counts)
    assert without.logits is None and with_scale.logits.count == 4 * SETTINGS.steps


def test_batches_and_merged_parts_measure_the_same(trio, tmp_path):
    whole, single = run(trio), run(trio, batch_size=1)
    np.testing.assert_allclose(single.logits.mean, whole.logits.mean, rtol=1e-5)
    run(trio, PROMPTS.first(2), path=tmp_path / "part.safetensors")
    again = files.load(tmp_path / "part.safetensors").votes
    rest = run(trio, PromptSet("more", ("a boat", "a tree")))
    both = again + rest
    assert both.logits.count == again.logits.count + rest.logits.count == 8
    np.testing.assert_allclose(both.logits.total, again.logits.total + rest.logits.total)


def test_a_file_without_the_scale_goes_on_only_without_it_and_says_so(trio, tmp_path):
    path = tmp_path / "old.safetensors"
    run(trio, path=path, logit_scale=False)
    assert "logit_scale" not in files.load(path).votes.recipe
    run(trio, path=path, logit_scale=False)
    with pytest.raises(HRVError, match="logit_scale is 'off' in one and True"):
        run(trio, path=path)


def test_the_node_marks_the_extremes_and_lists_every_head(trio):
    relevance = run(trio).relevance()
    image, text, table = HRVLogitScale.execute(relevance).args
    rows = list(csv.DictReader(io.StringIO(table)))
    means = np.array([float(row["mean"]) for row in rows])
    np.testing.assert_allclose(means, relevance.votes.logits.mean, rtol=1e-4)
    assert relevance.layout.label(int(means.argmax())) in text.splitlines()[0]
    assert f"ratio {means.max() / means.min():.1f}" in text
    assert image.shape[0] == 1 and float(image.std()) > 0.05


def test_vectors_without_the_scale_are_refused_with_the_fix(trio):
    with pytest.raises(HRVError, match="Build it by votes .*with logit_scale switched on"):
        HRVLogitScale.execute(run(trio, logit_scale=False).relevance())
