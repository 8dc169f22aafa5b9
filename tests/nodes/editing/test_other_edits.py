"""Free-Prompt, Plug-and-Play and MasaCtrl edits in real ComfyUI: their equations, places, windows and invariants."""

from __future__ import annotations

import pytest
import torch
from comfy.ldm.modules.diffusionmodules.openaimodel import ResBlock

import nodes
from comfyui_hrv.hrv_engine.attention.downsampling import decoder_from_second_block, from_layer, without_finest
from comfyui_hrv.hrv_engine.attention.values import attention_map, split_heads
from comfyui_hrv.nodes.editing.free_prompt_edit import HRVFreePromptEdit
from comfyui_hrv.nodes.editing.masactrl_edit import HRVMasaCtrlEdit
from comfyui_hrv.nodes.editing.plug_and_play_edit import HRVPlugAndPlayEdit
from comfyui_hrv.nodes.host.families.unet_layers import downsampling
from comfyui_hrv.nodes.host.unet import layout_of

from ..explicit import relative
from ..explicit_pairs import ExplicitPairs
from ..tiny import Trio
from .test_p2p_edit import SOURCE, STEPS, TARGET, alone, draw, edited, plain

pytestmark = pytest.mark.usefixtures("inference_mode")
METHODS = {
    "fpe": (HRVFreePromptEdit, {"self_replace": 0.8, "self_limit": "auto"}, {"self_replace": 0.0}),
    "pnp": (
        HRVPlugAndPlayEdit,
        {"attention_until": 0.5, "features_until": 0.8},
        {"attention_until": 0.0, "features_until": 0.0},
    ),
    "masactrl": (HRVMasaCtrlEdit, {"start": 0.25, "start_layer": -1}, {"start": 1.0}),
}


def made(trio: Trio, method: str, source: str = SOURCE, target: str = TARGET, model=None, **changes):
    node, settings, _ = METHODS[method]
    latent = nodes.EmptyLatentImage().generate(64, 64, 1)[0]
    prompts = trio.encode(source), trio.encode(target)
    return node.execute(model or trio.model, *prompts, latent, **{**settings, "seeds": 1, **changes}).args


@pytest.mark.parametrize("method", METHODS)
class TestEveryMethod:
    def test_an_empty_window_is_bit_identical_to_a_plain_batch(self, trio, method):
        neutral = made(trio, method, **METHODS[method][2])
        assert torch.equal(draw(trio, neutral), plain(trio, neutral))

    def test_the_same_prompt_twice_gives_the_same_image_twice(self, trio, method):
        source, target = draw(trio, made(trio, method, SOURCE, SOURCE))
        assert relative(target, source) <= 1e-5

    def test_the_source_row_is_the_image_drawn_alone_and_the_target_changes(self, trio, method):
        pair = made(trio, method)
        ours = draw(trio, pair)
        assert relative(ours[:1], alone(trio, SOURCE)) <= 1e-5
        assert relative(ours[1:], alone(trio, TARGET)) > 1e-3

    def test_cond_and_uncond_apart_equal_together(self, trio, method, monkeypatch):
        pair = made(trio, method)
        together = draw(trio, pair)
        monkeypatch.setattr(type(trio.model.model), "memory_required", lambda self, s, *a, **k: 1e30 * (s[0] > 2))
        assert relative(draw(trio, pair), together) <= 1e-5

    def test_two_targets_and_two_seeds_are_the_pairs_drawn_apart(self, trio, method):
        other = "a green dog"
        both = draw(trio, made(trio, method, target_2=trio.encode(other), seeds=2))
        assert len(both) == 6
        first = draw(trio, made(trio, method))
        second = draw(trio, made(trio, method, target=other))
        assert relative(both[:3], torch.cat([first, second[1:]])) <= 1e-5

    def test_prompts_of_unequal_length_need_no_words_in_common(self, trio, method):
        ours = draw(trio, made(trio, method, target="nothing like it at all " * 30))
        assert ours.isfinite().all() and relative(ours[:1], alone(trio, SOURCE)) <= 1e-5


def swapped_self(trio, blocks, first: int, last: int, parts: str, kinds: tuple[int, ...]):
    """MODEL whose self-attention of `blocks` takes parts "qk" or "kv" from the source at steps first ... last - 1."""

    class Explicit(ExplicitPairs):
        def _self(self, q, k, v, options):
            tensors = {"q": q.clone(), "k": k.clone(), "v": v.clone()}
            if first <= self._step(options) < last:
                for place, kind in enumerate(options["cond_or_uncond"]):
                    if kind in kinds:
                        for part in parts:
                            tensors[part][2 * place + 1] = tensors[part][2 * place]
            maps = attention_map(tensors["q"], tensors["k"], options["n_heads"])
            return (maps @ split_heads(tensors["v"], options["n_heads"])).transpose(1, 2).flatten(2)

    return Explicit(layout_of(trio.model), None, frozenset(blocks)).on(trio.model)


def levels(trio):
    return downsampling(trio.model.model.diffusion_model)


def test_free_prompt_editing_swaps_self_attention_maps_of_the_conditional_rows(trio):
    pair = made(trio, "fpe")
    explicit = swapped_self(trio, without_finest(levels(trio)), 0, int(0.8 * STEPS), "qk", (0,))
    assert relative(draw(trio, pair), draw(trio, (explicit, *pair[1:]))) <= 1e-5


def test_free_prompt_editing_is_prompt_to_prompt_without_its_cross_part(trio):
    fpe = draw(trio, made(trio, "fpe", self_limit="1/2"))
    assert torch.equal(fpe, draw(trio, edited(trio, cross_replace=0.0, self_replace=0.8, self_limit="1/2")))


def test_masactrl_takes_keys_and_values_in_both_halves_after_its_step_and_layer(trio):
    pair = made(trio, "masactrl")
    explicit = swapped_self(trio, from_layer(levels(trio), -1), 1, STEPS, "kv", (0, 1))
    assert relative(draw(trio, pair), draw(trio, (explicit, *pair[1:]))) <= 1e-5
    deeper = made(trio, "masactrl", start_layer=0)
    assert relative(draw(trio, deeper), draw(trio, pair)) > 1e-4


def test_plug_and_play_swaps_queries_and_keys_of_the_decoder_in_both_halves(trio):
    pair = made(trio, "pnp", features_until=0.0)
    _, blocks = decoder_from_second_block(levels(trio))
    explicit = swapped_self(trio, blocks, 0, int(0.5 * STEPS), "qk", (0, 1))
    assert relative(draw(trio, pair), draw(trio, (explicit, *pair[1:]))) <= 1e-5


def test_plug_and_play_gives_the_target_the_residual_branch_of_the_source(trio):
    pair = made(trio, "pnp", attention_until=0.0)
    place, _ = decoder_from_second_block(levels(trio))

    def resblock(layer, x, emb, context, options, *more):
        if options["block"] != place or int((options["sample_sigmas"] > options["sigmas"][0] * 1.000001).sum()) >= 3:
            return layer(x, emb)
        hidden = layer.in_layers(x) + layer.emb_layers(emb)[..., None, None]
        hidden = layer.out_layers(hidden)
        hidden[1::2] = hidden[::2]
        return layer.skip_connection(x) + hidden

    explicit = trio.model.clone()
    explicit.set_model_patch((ResBlock, resblock), "forward_timestep_embed_patch")
    assert relative(draw(trio, pair), draw(trio, (explicit, *pair[1:]))) <= 1e-5


def test_a_foreign_resblock_handler_still_runs(trio):
    def louder(layer, x, emb, *more):
        return layer(x, emb) * 1.1

    model = trio.model.clone()
    model.set_model_patch((ResBlock, louder), "forward_timestep_embed_patch")
    source, target = draw(trio, made(trio, "pnp", SOURCE, SOURCE, model=model))
    assert relative(target, source) <= 1e-5
    assert relative(source[None], alone(trio, SOURCE)) > 1e-4
