"""What steering nodes refuse, with the input quoted and the fix."""

from __future__ import annotations

import pytest

from comfyui_hrv.hrv_engine.attention.heads import HeadLayout
from comfyui_hrv.hrv_engine.errors import HRVError
from comfyui_hrv.hrv_engine.relevance.relevance import HeadRelevance
from comfyui_hrv.nodes.steering.strengthen import HRVConceptStrengthen

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
