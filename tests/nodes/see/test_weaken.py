"""HRV Weaken in real ComfyUI: the paper's edit of the maps, neutral settings, windows and refusals."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from comfyui_hrv.hrv_engine.errors import HRVError
from comfyui_hrv.hrv_engine.relevance.relevance import HeadRelevance
from comfyui_hrv.nodes.host.conditioning import KEY
from comfyui_hrv.nodes.prompt import HRVPrompt
from comfyui_hrv.nodes.see.weaken import HRVWeaken

from ..explicit import relative, with_explicit_maps
from ..tiny import Trio
from ..vectors import random_vectors

pytestmark = pytest.mark.usefixtures("inference_mode")
TEXT = "a copper kettle on a table"


@pytest.fixture(scope="module")
def hrv(trio: Trio) -> HeadRelevance:
    return random_vectors(trio.model, "Material", "Plants")


def weakened(trio, hrv, word="", order="MoRHF", heads=9, factor=-2.0, start=0.0, end=1.0):
    positive = HRVPrompt.execute(trio.clip, TEXT).args[0]
    return HRVWeaken.execute(trio.model, positive, hrv, word, "Material", order, heads, factor, 0, start, end).args


@pytest.mark.parametrize("word, columns", [("", (1, 2, 3, 4, 5, 6)), ("copper kettle", (2, 3))])
def test_the_first_heads_of_the_order_have_their_map_columns_multiplied(trio, hrv, word, columns):
    r = torch.ones(hrv.layout.total)
    r[torch.from_numpy(np.argsort(-hrv.row("Material"))[:9].copy())] = -2.0
    plain, negative = trio.encode(TEXT), trio.encode("")
    ours = trio.sample(*weakened(trio, hrv, word), negative)
    explicit = with_explicit_maps(trio.model, hrv.layout, r, columns)
    assert relative(ours, trio.sample(explicit, plain, negative)) <= 1e-5
    assert relative(ours, trio.sample(trio.model, plain, negative)) > 1e-3


@pytest.mark.parametrize("neutral", [{"heads": 0}, {"factor": 1.0}, {"start": 0.5, "end": 0.5}])
def test_no_head_factor_one_and_an_empty_window_are_bit_identical_to_no_node(trio, hrv, neutral):
    plain = trio.sample(trio.model, trio.encode(TEXT), trio.encode(""))
    assert torch.equal(trio.sample(*weakened(trio, hrv, **neutral), trio.encode("")), plain)


def test_most_and_least_relevant_first_agree_only_when_all_heads_are_weakened(trio, hrv):
    negative = trio.encode("")
    pairs = [
        [trio.sample(*weakened(trio, hrv, order=order, heads=heads), negative) for order in ("MoRHF", "LeRHF")]
        for heads in (9, hrv.layout.total)
    ]
    assert not torch.equal(*pairs[0]) and torch.equal(*pairs[1])


def test_more_heads_than_the_model_has_are_refused(trio, hrv):
    with pytest.raises(HRVError, match=f"H = {hrv.layout.total}"):
        weakened(trio, hrv, heads=hrv.layout.total + 1)


def test_the_special_tokens_are_never_weakened(trio, hrv):
    _, marked = weakened(trio, hrv)
    (scale,) = marked[0][1][KEY].scales
    assert 0 not in scale.columns and max(scale.columns) == 6
