"""Every node that takes vectors takes those by effect: the shipped ones of the squares, through all of them."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
import torch

from comfyui_hrv.hrv_engine.errors import HRVError
from comfyui_hrv.hrv_engine.pocket.model import MODELS
from comfyui_hrv.hrv_engine.relevance import files
from comfyui_hrv.hrv_engine.relevance.relevance import EFFECT_CLAMP, HeadRelevance
from comfyui_hrv.nodes.files.hrv_files import HRVMerge
from comfyui_hrv.nodes.guidance.attend_excite import HRVAttendExcite
from comfyui_hrv.nodes.host.conditioning import annotations_of
from comfyui_hrv.nodes.host.pocket import load_pocket
from comfyui_hrv.nodes.prompt import HRVPrompt
from comfyui_hrv.nodes.see.compare import HRVCompare
from comfyui_hrv.nodes.see.head_concepts import HRVHeadConcepts
from comfyui_hrv.nodes.see.heatmap import HRVHeatmap
from comfyui_hrv.nodes.see.logit_scale import HRVLogitScale
from comfyui_hrv.nodes.see.similarity import HRVSimilarity
from comfyui_hrv.nodes.see.top_heads import HRVTopHeads
from comfyui_hrv.nodes.see.tsne import HRVTSNE
from comfyui_hrv.nodes.see.weaken import HRVWeaken
from comfyui_hrv.nodes.steering.adjust import HRVConceptAdjust
from comfyui_hrv.nodes.steering.strengthen import HRVConceptStrengthen
from comfyui_hrv.nodes.steering.suggest import HRVSuggest

pytestmark = pytest.mark.usefixtures("inference_mode")
FOLDER = Path(__file__).parents[3] / "hrv_presets" / "hrv"


@pytest.fixture(scope="module")
def effect() -> HeadRelevance:
    return files.load(FOLDER / "pocket_effect.safetensors")


@pytest.fixture(scope="module")
def votes() -> HeadRelevance:
    return files.load(FOLDER / "pocket.safetensors")


@pytest.fixture(scope="module")
def pocket() -> tuple:
    with torch.inference_mode():
        return load_pocket(MODELS["squares"])


def rows_of(table: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(table)))


def factors_of(conditioning: list) -> np.ndarray:
    (annotation,) = annotations_of(conditioning)
    return annotation.scales[-1].factors


def test_what_shows_vectors_shows_them(effect, votes):
    image, table = HRVHeatmap.execute(effect, "Color").args
    assert image.std() > 0.01 and len(rows_of(table)) == effect.layout.total
    assert HRVSimilarity.execute(effect, "concepts").args[1].startswith("12 concepts")
    assert "head" in HRVTopHeads.execute(effect, "Color", 5).args[0]
    assert HRVCompare.execute(effect, votes).args[1].startswith("12 shared concepts")
    negative = int(effect.signed[0].argmin())
    shown = rows_of(HRVHeadConcepts.execute(effect, str(negative)).args[2])
    assert float(next(row["relevance"] for row in shown if row["concept"] == "Color")) < 0


def test_what_needs_votes_says_so_and_how_to_get_them(effect, votes):
    with pytest.raises(HRVError, match="vectors by effect never have"):
        HRVSimilarity.execute(effect, "timesteps")
    with pytest.raises(HRVError, match="vectors by effect never have"):
        HRVTSNE.execute(effect, "", 5.0, 0)
    with pytest.raises(HRVError, match="by votes"):
        HRVLogitScale.execute(effect)
    with pytest.raises(HRVError, match="one file holds votes|One file holds votes"):
        HRVMerge.execute(effect, votes)


def test_steering_uses_the_positive_part_up_to_the_measured_clamp(effect, pocket):
    model, clip, *_ = pocket
    positive = HRVPrompt.execute(clip, "an orange square").args[0]
    window = (1.0, 0, 0.0, 0.0, 1.0)
    strengthened = HRVConceptStrengthen.execute(model, positive, effect, "orange", "Color", *window).args[1]
    assert factors_of(strengthened).min() == 0 and factors_of(strengthened).max() == EFFECT_CLAMP
    senses = ("Color", "Fruit", 2.0, 1.0)
    adjusted = HRVConceptAdjust.execute(model, positive, effect, "orange", *senses, *window).args[1]
    color, fruit = (np.minimum(effect.row(name), EFFECT_CLAMP) for name in ("Color", "Fruit"))
    np.testing.assert_allclose(factors_of(adjusted), 2 * color - fruit, rtol=1e-6)
    own = HRVConceptStrengthen.execute(model, positive, effect, "orange", "Color", 1.0, 0, 3.0, 0.0, 1.0).args[1]
    assert factors_of(own).max() == 3.0


def test_weakening_takes_its_orders_from_the_signed_effects(effect, pocket):
    model, clip, *_ = pocket
    positive = HRVPrompt.execute(clip, "an orange square").args[0]
    for order, wanted in (("MoRHF", np.argsort(-effect.signed[0])), ("LeRHF", np.argsort(np.abs(effect.signed[0])))):
        asked = {"word": "", "concept": "Color", "order": order, "heads": 6, "factor": -2.0, "order_seed": 0}
        asked |= {"start_percent": 0.0, "end_percent": 1.0}
        marked = HRVWeaken.execute(model=model, positive=positive, hrv=effect, **asked).args[1]
        assert set(np.flatnonzero(factors_of(marked) == -2)) == set(wanted[:6].tolist())


def test_guidance_and_suggestions_take_them(effect, pocket):
    model, clip, *_ = pocket
    positive = HRVPrompt.execute(clip, "a cherry and a pear").args[0]
    settings = ("cherry, pear", "hrv", "Fruit, Fruit", "all tokens", 10.0, "", 5, True, 2, 1.0, False)
    assert HRVAttendExcite.execute(model, positive, *settings, hrv=effect).args[0] is not model
    assert (
        HRVSuggest.execute(clip=clip, prompt="an orange square", hrv=effect, words="orange", desired="", shown=5).args[
            1
        ]
        == "orange"
    )
