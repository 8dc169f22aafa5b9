"""Edited maps cost one attention call a layer, under every backend, and the same beside foreign replacements."""

from __future__ import annotations

import comfy.ldm.modules.attention as host_attention
import pytest

from comfyui_hrv.nodes.host.unet import layout_of

from ..explicit import relative
from .test_p2p_edit import draw, edited, plain

pytestmark = pytest.mark.usefixtures("inference_mode")
KINDS = {
    "replace": {},
    "refine": {"target": "a red car on a long road"},
    "hrv": {"concept": "Color"},
    "two windows": {"word_windows": "car: 0.3; red: 0.1-0.6"},
}


@pytest.fixture(params=KINDS)
def made(request, trio, hrv):
    """MODEL, CONDITIONING, LATENT of an edit whose windows are open in half of the steps."""
    settings = {"cross_replace": 0.5, "self_replace": 0.5, **KINDS[request.param]}
    return edited(trio, hrv=hrv if "concept" in settings else None, **settings)


def overridden(model, attend):
    """A clone of MODEL whose attention is `attend`, as nodes that choose a backend set it."""
    clone = model.clone()
    clone.model_options["transformer_options"]["optimized_attention_override"] = attend
    return clone


def counted(trio, made, drawn) -> int:
    """Attention calls of a run."""
    calls = []

    def attend(function, *args, **kwargs):
        calls.append(function)
        return function(*args, **kwargs)

    drawn(trio, (overridden(made[0], attend), *made[1:]))
    return len(calls)


def test_an_edit_calls_attention_as_often_as_the_rows_plain(trio, made):
    without = (overridden(trio.model, None), *made[1:])
    assert counted(trio, made, draw) == counted(trio, without, draw) > 0


@pytest.mark.parametrize("backend", ["basic", "split", "sub_quad", "pytorch"])
def test_every_backend_computes_the_same_edit(trio, made, backend):
    attend = getattr(host_attention, f"attention_{backend}")
    theirs = overridden(made[0], lambda _, *args, **kwargs: attend(*args, **kwargs))
    ours = draw(trio, made)
    assert relative(draw(trio, (theirs, *made[1:])), ours) <= 1e-5
    assert relative(ours, plain(trio, made)) > 1e-4


def test_beside_a_foreign_replacement_that_needs_its_own_rows_the_edit_is_the_same(trio, made):
    def theirs(query, key, value, options):
        assert query.shape[0] == 2 * len(options["cond_or_uncond"])
        return host_attention.attention_basic(query, key, value, options["n_heads"])

    model = made[0].clone()
    for site in layout_of(trio.model).sites:
        model.set_model_attn2_replace(theirs, *site.key[:2], site.key[2])
    assert relative(draw(trio, (model, *made[1:])), draw(trio, made)) <= 1e-5
