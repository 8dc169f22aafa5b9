"""HRV Build in real ComfyUI: counts of Algorithm 1, reproducible, resumable, and invisible to the image."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import comfy.ldm.modules.attention as host_attention
import comfy.model_management
import numpy as np
import pytest
import torch

from comfyui_hrv.hrv_engine.benchmarks.prompts import PromptSet
from comfyui_hrv.hrv_engine.errors import HRVError
from comfyui_hrv.hrv_engine.inspection.report import report
from comfyui_hrv.hrv_engine.relevance import files
from comfyui_hrv.hrv_engine.relevance.concepts import Concept, ConceptSet
from comfyui_hrv.hrv_engine.relevance.voting import WordSampler
from comfyui_hrv.nodes.host import build as host_build
from comfyui_hrv.nodes.host.build import BuildSettings, build
from comfyui_hrv.nodes.host.families.unet_layers import cross_attentions
from comfyui_hrv.nodes.host.recording import VoteRecorder
from comfyui_hrv.nodes.host.unet import fingerprint, layout_of
from comfyui_hrv.nodes.host.words import word_bank

from ..tiny import Trio

pytestmark = pytest.mark.usefixtures("inference_mode")
CONCEPTS = ConceptSet(
    "three",
    (
        Concept("Color", ("red", "blue", "rose-colored")),
        Concept("Animals", ("dog", "cat")),
        Concept("Size", ("tiny", "skateboarder", "very big")),
    ),
)
PROMPTS = PromptSet("five", ("a dog", "a red cat", "two big boats", "a tiny man, " * 20, "a house"))
SETTINGS = BuildSettings(64, 64, 2, 5.0, "euler", "normal", 7, 1, 2, "per layer", True, False)


def run(trio: Trio, path: Path | None = None, prompts: PromptSet = PROMPTS, resume: bool = True, **changes):
    return build(trio.model, trio.clip, CONCEPTS, prompts, replace(SETTINGS, **changes), path=path, resume=resume)


@pytest.mark.parametrize("sampling", ["per layer", "per head"])
@pytest.mark.parametrize("bos_key", [True, False])
def test_votes_equal_a_slow_count_written_from_algorithm_1(trio, sampling, bos_key):
    prompts = PromptSet("one", ("a red dog",))
    votes = run(trio, prompts=prompts, sampling=sampling, bos_key=bos_key)
    layout, bank = layout_of(trio.model), word_bank(trio.clip, CONCEPTS)
    sampler = WordSampler(bank, SETTINGS.seed, SETTINGS.draws, sampling, bos_key)
    expected, call = np.zeros_like(votes.counts), [-1]

    def count(q, k, v, options):
        block = (*options["block"], options["block_index"])
        number = [site.key for site in layout.sites].index(block)
        call[0] += number == 0
        attention = dict(cross_attentions(trio.model.model.diffusion_model))[block]
        ballot = sampler.ballots([0], call[0], [site.heads for site in layout.sites])[number]
        row = options["cond_or_uncond"].index(0)
        heads, dim = options["n_heads"], q.shape[-1] // options["n_heads"]
        for head in range(heads):
            voter = head if sampling == "per head" else 0
            query = q[row, :, head * dim : (head + 1) * dim]
            for draw in range(SETTINGS.draws):
                rows, owner = ballot.rows[0, draw, voter], ballot.concept[0, draw, voter]
                tokens = [0] * bos_key + [int(r) for r, c in zip(rows, owner, strict=True) if c >= 0]
                owners = [-1] * bos_key + [int(c) for c in owner if c >= 0]
                keys = attention.to_k(bank.embeddings[tokens])[:, head * dim : (head + 1) * dim]
                share = torch.softmax(query @ keys.T / dim**0.5, dim=-1)
                means = [share[:, [i for i, o in enumerate(owners) if o == c]].mean(1).mean() for c in range(3)]
                expected[int(np.argmax(means)), layout.offset(block) + head] += 1
        return host_attention.optimized_attention(q, k, v, heads, transformer_options=options)

    counted = trio.model.clone()
    for site in layout.sites:
        counted.set_model_attn2_replace(count, *site.key[:2], site.key[2])
    trio.sample(counted, trio.encode("a red dog"), trio.encode(""), seed=SETTINGS.seed, steps=SETTINGS.steps)
    assert call[0] + 1 == SETTINGS.steps
    assert np.array_equal(votes.counts, expected)


def test_every_head_votes_once_an_image_step_and_draw(trio):
    votes = run(trio)
    assert votes.images == len(PROMPTS.prompts)
    assert (votes.counts.sum(axis=0) == votes.images * SETTINGS.steps * SETTINGS.draws).all()


def test_votes_do_not_depend_on_the_batch_size(trio):
    assert np.array_equal(run(trio).counts, run(trio, batch_size=3).counts)


def test_the_same_seed_writes_the_same_bytes_and_another_seed_does_not(trio, tmp_path):
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        run(trio, tmp_path / f"{name}.safetensors", seed=seed)
    a, b, c = ((tmp_path / f"{name}.safetensors").read_bytes() for name in "abc")
    assert a == b != c


def test_votes_per_timestep_add_up_to_the_votes(trio):
    votes = run(trio, per_timestep=True, sampler_name="heun", steps=3)
    assert votes.per_step.shape[0] == 3
    assert np.array_equal(votes.per_step.sum(axis=0), votes.counts)
    assert (votes.per_step.sum(axis=(1, 2)) > 0).all()


@pytest.mark.parametrize(
    "steps, scheduler, sampler_name, rows",
    [
        (7, "ddim_uniform", "ddim", 8),
        (4, "ddim_uniform", "ddim", 4),
        (3, "normal", "euler", 3),
        (3, "normal", "dpm_2", 3),
        (3, "karras", "heun", 3),
        (3, "beta", "euler_ancestral", 3),
    ],
)
def test_votes_per_timestep_have_a_row_for_every_step_of_the_schedule(trio, steps, scheduler, sampler_name, rows):
    """ddim_uniform gives one step more where the steps do not divide 1000; its call had gone into the row before."""
    settings = {"steps": steps, "scheduler": scheduler, "sampler_name": sampler_name, "per_timestep": True}
    votes = run(trio, prompts=PromptSet("one", ("a red dog",)), **settings)
    assert len(votes.per_step) == rows
    calls = votes.per_step.sum(axis=(1, 2)) // (votes.layout.total * SETTINGS.draws)
    assert (calls > 0).all() and (sampler_name in ("dpm_2", "heun") or (calls == 1).all())
    said = "Votes for each of 8 steps: that is what the schedule has where 7 are asked for"
    assert (said in report(votes.relevance())) == (rows > steps)


def test_voting_leaves_the_image_bit_identical(trio):
    layout = layout_of(trio.model)
    recorder = VoteRecorder(WordSampler(word_bank(trio.clip, CONCEPTS), 0), layout, None)
    recorder.begin([0])
    positive, negative = trio.encode("a red dog"), trio.encode("")
    recorded = trio.sample(recorder.attach(trio.model), positive, negative)
    assert torch.equal(recorded, trio.sample(trio.model, positive, negative))
    assert recorder.take().sum() == 2 * layout.total


def interrupted_at(monkeypatch, image: int) -> None:
    drawn = host_build._draw
    count = iter(range(100))

    def draw(*args):
        if next(count) == image:
            raise comfy.model_management.InterruptProcessingException
        return drawn(*args)

    monkeypatch.setattr(host_build, "_draw", draw)


def test_a_cancelled_build_keeps_whole_images_and_goes_on_to_the_same_bytes(trio, tmp_path, monkeypatch):
    path = tmp_path / "part.safetensors"
    with monkeypatch.context() as patched:
        interrupted_at(patched, 3)
        with pytest.raises(comfy.model_management.InterruptProcessingException):
            run(trio, path)
    assert files.load(path).votes.images == 3
    run(trio, path)
    run(trio, tmp_path / "whole.safetensors")
    assert path.read_bytes() == (tmp_path / "whole.safetensors").read_bytes()


def test_a_finished_build_is_returned_without_drawing_again(trio, tmp_path, monkeypatch):
    path = tmp_path / "done.safetensors"
    first = run(trio, path)
    interrupted_at(monkeypatch, 0)
    assert np.array_equal(run(trio, path).counts, first.counts)


@pytest.mark.parametrize("change", [{"steps": 3}, {"cfg": 4.0}, {"draws": 1}, {"bos_key": False}])
def test_resuming_with_other_settings_is_refused_and_names_the_setting(trio, tmp_path, change):
    path = tmp_path / "mine.safetensors"
    run(trio, path)
    before = path.read_bytes()
    with pytest.raises(HRVError, match=next(iter(change))):
        run(trio, path, **change)
    assert path.read_bytes() == before


def test_switching_resume_off_starts_over(trio, tmp_path):
    path = tmp_path / "mine.safetensors"
    run(trio, path)
    assert run(trio, path, resume=False, steps=3).recipe["steps"] == 3
    assert files.load(path).votes.recipe["steps"] == 3


def test_votes_of_two_builds_add_in_either_order(trio):
    one, two = PromptSet("one", PROMPTS.prompts[:2]), PromptSet("two", PROMPTS.prompts[2:])
    halves = run(trio, prompts=one), run(trio, prompts=two, seed=SETTINGS.seed + 2)
    assert halves[0].images + halves[1].images == 5
    assert np.array_equal((halves[0] + halves[1]).counts, (halves[1] + halves[0]).counts)


def test_a_model_with_a_lora_has_another_fingerprint(trio):
    key = "diffusion_model.middle_block.1.transformer_blocks.0.attn2.to_v.weight"
    patched = trio.model.clone()
    patched.add_patches({key: ("diff", (torch.zeros_like(trio.model.model.state_dict()[key]),))}, 0.5)
    assert fingerprint(patched) != fingerprint(trio.model) == fingerprint(trio.model.clone())


def test_a_concept_word_without_tokens_is_named(trio):
    concepts = ConceptSet("odd", (Concept("Color", ("red",)), Concept("Nothing", ("()",))))
    with pytest.raises(HRVError, match=r'"\(\)" of the concept "Nothing"'):
        build(trio.model, trio.clip, concepts, PROMPTS, SETTINGS)


def lora(trio: Trio, seed: int) -> object:
    key = "diffusion_model.middle_block.1.transformer_blocks.0.attn2.to_v.weight"
    weight = torch.randn(trio.model.model.state_dict()[key].shape, generator=torch.Generator().manual_seed(seed))
    patched = trio.model.clone()
    patched.add_patches({key: ("diff", (weight,))}, 1.0)
    return patched


def test_two_loras_of_the_same_keys_and_strengths_have_different_fingerprints(trio):
    one, two = lora(trio, 1), lora(trio, 2)
    assert fingerprint(one) == fingerprint(lora(trio, 1)) != fingerprint(two)
    both, turned = one.clone(), two.clone()
    both.add_patches({key: patches[0][1] for key, patches in two.patches.items()}, 1.0)
    turned.add_patches({key: patches[0][1] for key, patches in one.patches.items()}, 1.0)
    assert fingerprint(both) == fingerprint(turned), "whichever was added first"


@pytest.mark.parametrize("what", ["text encoder", "a negative", "another negative", "a weaker negative"])
def test_resuming_with_another_encoder_or_negative_is_refused_and_names_it(trio, tmp_path, what):
    path = tmp_path / "mine.safetensors"
    two = PromptSet("two", PROMPTS.prompts[:2])
    first = None if what in ("text encoder", "a negative") else trio.encode("ugly, blurry")
    build(trio.model, trio.clip, CONCEPTS, two, SETTINGS, first, path)
    before = path.read_bytes()
    clip, negative = trio.clip.clone(), first
    if what == "text encoder":
        clip.clip_layer(-2)
    elif what == "a weaker negative":
        negative = [[context, {**values, "strength": 0.5}] for context, values in trio.encode("ugly, blurry")]
    else:
        negative = trio.encode("ugly, sharp")
    with pytest.raises(HRVError, match=f"The {what.split()[0] if what == 'text encoder' else 'negative'} "):
        build(trio.model, clip, CONCEPTS, PROMPTS, SETTINGS, negative, path)
    assert path.read_bytes() == before


def test_resuming_with_the_same_negative_in_half_precision_goes_on(trio, tmp_path):
    path = tmp_path / "mine.safetensors"
    negative = trio.encode("ugly, blurry")
    build(trio.model, trio.clip, CONCEPTS, PROMPTS, SETTINGS, negative, path, start=0, count=2)
    half = [[context.half().float(), values] for context, values in negative]
    assert build(trio.model, trio.clip, CONCEPTS, PROMPTS, SETTINGS, half, path).images == len(PROMPTS.prompts)


def test_a_file_from_before_encoders_were_written_down_goes_on(trio):
    one = run(trio, prompts=PromptSet("one", PROMPTS.prompts[:2]))
    two = run(trio, prompts=PromptSet("two", PROMPTS.prompts[2:]), seed=SETTINGS.seed + 2)
    old = replace(one, recipe={key: value for key, value in one.recipe.items() if key != "text_encoder"})
    assert (old + two).recipe == (two + old).recipe == two.recipe
