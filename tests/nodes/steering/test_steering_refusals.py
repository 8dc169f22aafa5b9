"""What steering nodes refuse, with the input quoted and the fix."""

from __future__ import annotations

import pytest

from comfyui_hrv.hrv_engine.attention.heads import HeadLayout
from comfyui_hrv.hrv_engine.errors import HRVError
from comfyui_hrv.hrv_engine.relevance.relevance import HeadRelevance
from comfyui_hrv.nodes.host.control import controlled
from comfyui_hrv.nodes.host.lent_values import ValueLending
from comfyui_hrv.nodes.host.steering import steered
from comfyui_hrv.nodes.steering.prompt_weights import HRVPromptWeights
from comfyui_hrv.nodes.steering.strengthen import HRVConceptStrengthen

from ..tiny import UNET, tiny_trio
from .test_steering import PROMPT, adjusted, prompt

pytestmark = pytest.mark.usefixtures("inference_mode")


@pytest.mark.parametrize(
    "change, quoted",
    [
        ({"word": "lavendar"}, ['"lavendar"', PROMPT, '"lavender"']),
        ({"word": "  "}, ["no tokens"]),
        ({"occurrence": 2}, ["occurs once"]),
        ({"start": 0.8, "end": 0.2}, ["0.8", "0.2"]),
    ],
)
def test_bad_words_and_windows_are_refused_with_the_fix(trio, hrv, change, quoted):
    with pytest.raises(HRVError) as error:
        adjusted(trio.model, prompt(trio), hrv, **change)
    assert all(part in str(error.value) for part in quoted)


def test_an_unknown_concept_is_refused_with_the_nearest_names(trio, hrv):
    with pytest.raises(HRVError, match='"Colour".*Nearest: "Color"'):
        HRVConceptStrengthen.execute(trio.model, prompt(trio), hrv, "lavender", "Colour", 1.0, 0, 0.0, 0.0, 1.0)


def test_a_conditioning_without_token_table_is_refused_with_the_fix(trio, hrv):
    with pytest.raises(HRVError, match="HRV Prompt"):
        adjusted(trio.model, trio.encode(PROMPT), hrv)


def test_an_hrv_of_another_head_layout_is_refused(trio, hrv):
    other = HeadLayout(hrv.layout.sites[:-1])
    foreign = HeadRelevance(hrv.values[:, : other.total], hrv.concepts, other)
    with pytest.raises(HRVError, match=f"{other.total} heads.*{hrv.layout.total} heads"):
        adjusted(trio.model, prompt(trio), foreign)


def test_a_word_steered_for_a_model_of_other_heads_is_refused_when_it_samples(trio):
    other = tiny_trio(config={**UNET, "num_heads": 8})
    _, positive, *_ = HRVPromptWeights.execute(other.model, other.clip, "a (red:1.5) dog", 1.0, 0.0, 0.0, 1.0).args
    with pytest.raises(HRVError, match=r"a model of 80 heads, and the one that samples has 40"):
        trio.sample(steered(trio.model), positive, trio.encode(""))


def test_a_request_that_no_control_on_the_model_carries_out_is_refused(trio):
    _, positive, *_ = HRVPromptWeights.execute(trio.model, trio.clip, "a (red:1.5) dog", 1.0, 0.0, 0.0, 1.0).args
    only_lending = controlled(trio.model, ValueLending())
    with pytest.raises(HRVError, match=r"asks for HRV steering.*other HRV nodes only \(HRV Structured Diffusion\)"):
        trio.sample(only_lending, positive, trio.encode(""))
    trio.sample(only_lending, trio.encode("a red dog"), trio.encode(""))
