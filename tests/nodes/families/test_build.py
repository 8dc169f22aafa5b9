"""HRV Build on transformers with encoders of their own: files, parts, what it says and what it refuses."""

from __future__ import annotations

import gc
from dataclasses import replace
from pathlib import Path

import comfy.model_management
import numpy as np
import pytest

import nodes
from comfyui_hrv.hrv_engine.benchmarks.prompts import PromptSet
from comfyui_hrv.hrv_engine.errors import HRVError
from comfyui_hrv.hrv_engine.inspection.report import report
from comfyui_hrv.hrv_engine.relevance import files
from comfyui_hrv.hrv_engine.relevance.build_settings import BuildSettings
from comfyui_hrv.hrv_engine.relevance.concepts import Concept, ConceptSet
from comfyui_hrv.nodes.host import build as host_build
from comfyui_hrv.nodes.host.build import build
from comfyui_hrv.nodes.host.calls import ModelCall
from comfyui_hrv.nodes.host.recording import VoteRecorder
from comfyui_hrv.nodes.host.tokens import has_begin, semantic_columns
from comfyui_hrv.nodes.host.unet import layout_of
from comfyui_hrv.nodes.prompt import HRVPrompt
from comfyui_hrv.nodes.steering.adjust import HRVConceptAdjust

from ..host.tiny_encoders import ENCODERS
from .pairs import PAIRS, pair

pytestmark = pytest.mark.usefixtures("inference_mode")
CONCEPTS = ConceptSet("two", (Concept("Color", ("red", "blue")), Concept("Things", ("car", "old house", "light"))))
PROMPTS = PromptSet("three", ("a red car", "blue trees beside the old house", "a house"))
SETTINGS = BuildSettings(64, 64, 2, 3.0, "euler", "simple", 7, 2, 2, "auto", True, False, False)
RUN = ("Anima",)  # families whose words are run as prompts
RIDE = ("Flux.1", "klein", "Z-Image", "Qwen-Image", "Mochi", "HiDream")  # families whose words ride beside the prompt
BEGINNING = {"SD3", "Lumina 2", "Flux.2", "Ernie-Image", "NewBie", "LTX-2"}


def run(name: str, path: Path | None = None, start: int = 0, count: int = 0, **changes):
    model, clip = pair(name)
    return build(model, clip, CONCEPTS, PROMPTS, replace(SETTINGS, **changes), None, path, True, start, count)


@pytest.mark.parametrize("name", list(PAIRS))
def test_every_head_votes_once_an_image_step_and_draw_and_the_vectors_steer(name):
    votes = run(name, per_timestep=True, logit_scale=True)
    model, clip = pair(name)
    assert (votes.counts.sum(axis=0) == len(PROMPTS.prompts) * SETTINGS.steps * SETTINGS.draws).all()
    assert np.array_equal(votes.per_step.sum(axis=0), votes.counts) and votes.layout == layout_of(model)
    assert votes.logits is not None and np.isfinite(votes.logits.mean).all()
    positive = HRVPrompt.execute(clip, "a red house").args[0]
    asked = ("red", "Color", "Things", 2.0, 1.0, 1.0, 0, 0.0, 0.0, 1.0)
    assert HRVConceptAdjust.execute(model, positive, votes.relevance(), *asked).args[0] is not model


@pytest.mark.parametrize("name", list(PAIRS))
def test_parts_merge_and_a_cancelled_build_goes_on_to_the_bytes_of_one_build(name, tmp_path, monkeypatch):
    run(name, tmp_path / "whole.safetensors")
    whole = (tmp_path / "whole.safetensors").read_bytes()
    parts = [run(name, tmp_path / f"{start}.safetensors", start, count) for start, count in ((0, 1), (1, 0))]
    files.save(tmp_path / "merged.safetensors", (parts[1] + parts[0]).relevance())
    assert (tmp_path / "merged.safetensors").read_bytes() == whole
    drawn, left = host_build._draw, [1]

    def interrupted(*arguments):
        if not left.pop():
            raise comfy.model_management.InterruptProcessingException
        left.append(0)
        return drawn(*arguments)

    with monkeypatch.context() as patched, pytest.raises(comfy.model_management.InterruptProcessingException):
        patched.setattr(host_build, "_draw", interrupted)
        run(name, tmp_path / "cut.safetensors")
    run(name, tmp_path / "cut.safetensors")
    assert (tmp_path / "cut.safetensors").read_bytes() == whole


@pytest.mark.parametrize("name", list(PAIRS))
def test_votes_do_not_depend_on_the_batch_size(name):
    assert np.array_equal(run(name, batch_size=1).counts, run(name, batch_size=3).counts)


@pytest.mark.parametrize("name", list(PAIRS))
def test_without_a_begin_of_text_key_bos_key_changes_nothing_and_the_report_says_so(name):
    on, off = run(name), run(name, bos_key=False)
    assert np.array_equal(on.counts, off.counts) and on.recipe == off.recipe
    assert on.recipe["bos_key"] == "none there"
    words, why = None, "this text encoder has none"
    if name in RUN:
        words, why = "run beside as prompts", "every word's own prompt has its own, if any"
    if name in RIDE:
        words, why = "rows beside the prompt", "a word rides beside the prompt without it"
    assert on.recipe.get("words") == words
    assert on.recipe["sampling"] == ("per layer" if words is None else "per step")
    assert f"No begin-of-text key took part, whatever bos_key was: {why}" in report(on.relevance())


@pytest.mark.parametrize("name", list(ENCODERS))
def test_which_text_encoders_have_a_begin_of_text_token(name):
    clip = ENCODERS[name].clip()
    assert has_begin(clip, "red") == (name in BEGINNING)
    assert not (has_begin(clip, "red") and 0 in semantic_columns(clip, "red"))


@pytest.mark.parametrize("name", RUN)
@pytest.mark.parametrize("sampling", ["per layer", "per head"])
def test_drawings_that_need_too_many_runs_are_refused_with_the_way_out(name, sampling):
    with pytest.raises(
        HRVError, match=f'With sampling "{sampling}" that may be all 5 words.*Set sampling to "auto" or "per step"'
    ):
        run(name, sampling=sampling)


@pytest.mark.parametrize("sampling", ["per layer", "per head"])
@pytest.mark.parametrize("name", ["Wan", "Z-Image"])
def test_where_words_need_no_runs_of_their_own_every_drawing_works(sampling, name):
    votes = run(name, sampling=sampling)
    assert votes.counts.sum() == 3 * 2 * 2 * layout_of(pair(name)[0]).total and votes.recipe["sampling"] == sampling


@pytest.mark.parametrize("name", ("Wan", *RUN, "Flux.1", "Z-Image"))
def test_an_area_of_the_negative_which_the_host_copies_into_all_lists_takes_part_in_no_vote(name):
    model, clip = pair(name)
    (negative,) = nodes.CLIPTextEncode().encode(clip, "bad")
    (part,) = nodes.ConditioningSetArea().append(negative, 32, 32, 0, 0, 1.0)
    votes = build(model, clip, CONCEPTS, PROMPTS, SETTINGS, part, None, True, 0, 0)
    assert (votes.counts.sum(axis=0) == len(PROMPTS.prompts) * SETTINGS.steps * SETTINGS.draws).all()


def test_a_build_keeps_nothing_of_the_model_calls_that_are_over(monkeypatch):
    alive = []

    def counting(self, call, actions, receipt):
        recorded(self, call, actions, receipt)
        alive.append(sum(isinstance(one, ModelCall) for one in gc.get_objects()))

    recorded = VoteRecorder.act
    monkeypatch.setattr(VoteRecorder, "act", counting)
    run("Flux.1", steps=6)
    assert len(alive) > 6 and max(alive) == alive[0]
