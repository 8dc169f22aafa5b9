"""HRV Fix Word is the long nodes in one: equal to them bit for bit, on UNets and transformers alike."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from comfyui_hrv.hrv_engine.errors import HRVError
from comfyui_hrv.hrv_engine.paths import PRESETS
from comfyui_hrv.hrv_engine.relevance import files
from comfyui_hrv.nodes.fix_word import HRVFixWord
from comfyui_hrv.nodes.host.conditioning import KEY
from comfyui_hrv.nodes.prompt import HRVPrompt
from comfyui_hrv.nodes.steering.adjust import HRVConceptAdjust
from comfyui_hrv.nodes.steering.strengthen import HRVConceptStrengthen
from comfyui_hrv.nodes.steering.suggest import HRVSuggest
from comfyui_hrv.tools.figures import session

from ..families.tiny_models import TINY
from ..host.tiny_encoders import ENCODERS
from ..tiny import tiny_sdxl
from ..vectors import random_vectors

pytestmark = pytest.mark.usefixtures("inference_mode")
PROMPT = "a vase in (lavender:1.2) color"
WINDOW = (0.0, 1.0)


def long_way(model, clip, hrv, text, word, meaning, other, strength=1.0, clamp=0.0):
    """MODEL and positive of HRV Prompt and HRV Concept Adjust, or without `other` of HRV Concept Strengthen."""
    (positive,) = HRVPrompt.execute(clip, text).args
    how = (strength, 0, clamp, *WINDOW)
    if other:
        return HRVConceptAdjust.execute(model, positive, hrv, word, meaning, other, 2.0, 1.0, *how).args
    return HRVConceptStrengthen.execute(model, positive, hrv, word, meaning, *how).args


def factors(conditioning) -> np.ndarray:
    return conditioning[0][1][KEY].scales[0].factors


@pytest.mark.parametrize("other", ["Plants", ""], ids=["adjusted", "strengthened"])
@pytest.mark.parametrize("strength", [1.0, 0.4])
def test_it_draws_what_the_long_nodes_draw_to_the_bit(trio, hrv, other, strength):
    model, marked, _ = HRVFixWord.execute(trio.model, trio.clip, PROMPT, "lavender", "Color", other, strength, hrv).args
    long = long_way(trio.model, trio.clip, hrv, PROMPT, "lavender", "Color", other, strength)
    negative = trio.encode("")
    ours = trio.sample(model, marked, negative)
    assert torch.equal(ours, trio.sample(*long, negative))
    assert not torch.equal(ours, trio.sample(trio.model, trio.encode(PROMPT), negative))


def test_strength_zero_is_plain_to_the_bit(trio, hrv):
    model, marked, _ = HRVFixWord.execute(trio.model, trio.clip, PROMPT, "lavender", "Color", "Plants", 0.0, hrv).args
    negative = trio.encode("")
    assert torch.equal(trio.sample(model, marked, negative), trio.sample(trio.model, trio.encode(PROMPT), negative))


@pytest.mark.parametrize(("name", "option", "more"), [
    ("Flux.1", "context_in_dim", {"vec_in_dim": 64}), ("Wan", "text_dim", {}),
])  # fmt: skip
def test_on_transformers_too(name, option, more):
    tiny = TINY[name]
    tiny = replace(tiny, config=tiny.config | {option: 32} | more, extra={}, channels=32)
    model, clip = tiny.model(), ENCODERS[name].clip()
    hrv = random_vectors(model, "Color", "Plants")
    (negative,) = HRVPrompt.execute(clip, "blue").args
    changed, marked, _ = HRVFixWord.execute(model, clip, "red car", "red", "Color", "Plants", 1.0, hrv).args
    long = long_way(model, clip, hrv, "red car", "red", "Color", "Plants")
    assert torch.equal(tiny.sample(changed, marked, negative), tiny.sample(*long, negative))


def test_votes_of_sdxl_are_clamped_and_the_receipt_says_so():
    sdxl = tiny_sdxl()
    hrv = random_vectors(sdxl.model, "Color", "Plants")
    values = hrv.values.copy()
    values[:, 0] = 20
    hrv = replace(hrv, values=values)
    _, marked, receipt = HRVFixWord.execute(sdxl.model, sdxl.clip, PROMPT, "lavender", "Color", "Plants", 1.0, hrv).args
    _, long = long_way(sdxl.model, sdxl.clip, hrv, PROMPT, "lavender", "Color", "Plants", clamp=9.0)
    assert np.array_equal(factors(marked), factors(long))
    assert factors(marked)[0] == 9 and "clamp 9" in receipt


def test_a_pocket_model_needs_no_vectors_those_by_effect_come_with_it():
    pocket = session.pocket()
    asked = ("an orange square", "orange", "Color", "Fruit")
    _, marked, receipt = HRVFixWord.execute(*pocket[:2], *asked, 1.0).args
    shipped = files.load(PRESETS / "hrv" / "pocket_effect.safetensors")
    _, long = long_way(*pocket[:2], shipped, *asked)
    assert np.array_equal(factors(marked), factors(long))
    assert "pocket_effect, 12 concepts, shipped for this pocket model, clamp 1" in receipt


def test_what_is_left_empty_is_proposed_as_hrv_suggest_does():
    pocket = session.pocket()
    hrv = session.vectors()
    text = "an orange square"
    receipt = HRVFixWord.execute(*pocket[:2], text, "orange", "", "", 1.0, hrv).args[2]
    _, _, desired, undesired, *_ = HRVSuggest.execute(text, hrv, "orange", pocket[1], "", 3).args
    assert receipt.startswith(f'"orange" means {desired}, not {undesired}. Both were proposed')
    assert "like apple" in receipt and "112 heads rescaled" in receipt
    receipt = HRVFixWord.execute(*pocket[:2], text, "orange", "", "Fruit", 1.0, hrv).args[2]
    assert receipt.startswith('"orange" means Color, not Fruit. Color was proposed')


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"text": " ", "word": ""}, "The prompt in `text` is empty"),
        ({"word": ""}, "is misread.*Type one or several of: orange, square"),
        ({"word": "oragne"}, '"oragne" is not in the prompt "an orange square".*orange'),
        ({"meaning": "Colour"}, 'no concept "Colour".*Color'),
        (
            {"text": "an orange wizard", "word": "wizard", "meaning": ""},
            'does not know the word "wizard".*Color, Shape',
        ),
    ],
    ids=["no prompt", "no word", "an absent word", "an unknown concept", "an unknown word"],
)
def test_a_wrong_input_is_quoted_with_the_way_out(changed, message):
    asked = {"text": "an orange square", "word": "orange", "meaning": "Color", "not_meaning": "Fruit"} | changed
    with pytest.raises(HRVError, match=message):
        HRVFixWord.execute(*session.pocket()[:2], **asked, strength=1.0)


def test_a_model_without_shipped_vectors_is_sent_to_the_nodes_that_have_them(trio):
    with pytest.raises(HRVError, match="Connect vectors to `hrv`: HRV Fetch.*HRV Load.*HRV Build"):
        HRVFixWord.execute(trio.model, trio.clip, PROMPT, "lavender", "Color", "Plants", 1.0)


def test_half_an_emoji_is_refused_in_words_and_blanks_around_names_are_not_quoted(trio):
    hrv = random_vectors(trio.model, "Color", "Plants")
    with pytest.raises(HRVError, match=r"ud83d"):
        HRVFixWord.execute(trio.model, trio.clip, "a \ud83d car", "car", "Color", "Plants", 1.0, hrv)
    receipt = HRVFixWord.execute(trio.model, trio.clip, "a red car", " red ", " Color ", " Plants ", 1.0, hrv).args[2]
    assert receipt.startswith('"red" means Color, not Plants.')
