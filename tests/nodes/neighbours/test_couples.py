"""Beside attention couples and regional blocks HRV nodes act rightly, or refuse by name: nothing vanishes silently."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from comfyui_hrv.hrv_engine.errors import HRVError
from comfyui_hrv.nodes.guidance.structured_diffusion import RULES, HRVStructuredDiffusion
from comfyui_hrv.nodes.host.conditioning import KEY
from comfyui_hrv.nodes.host.control import receipts_of
from comfyui_hrv.nodes.host.families.unet_layers import cross_attentions
from comfyui_hrv.nodes.host.unet import layout_of

from ..explicit import relative, with_explicit_maps
from ..tiny import Trio, tiny_trio
from .contents import ByContent
from .drawing import TOGETHER, adjusted, edited, prompt
from .neighbours import (
    AttentionCouple,
    OwnKeysAndValues,
    with_regional_blocks,
)

pytestmark = pytest.mark.usefixtures("inference_mode")


# Attention couples


def couple(trio: Trio, **settings) -> AttentionCouple:
    masks = torch.zeros(2, 8, 8)
    masks[0, :, :4] = masks[1, :, 4:] = 1
    return AttentionCouple([trio.encode("a dog")[0][0]], masks, **settings)


@pytest.mark.parametrize("same_values", [False, True], ids=["ppm", "cgem156"])
@pytest.mark.parametrize("edit", ["steered", "edited"])
def test_attention_couples_that_widen_rows_are_refused_by_name(trio, hrv, same_values, edit):
    model, positive, latent = edited(trio) if edit == "edited" else (*adjusted(trio.model, prompt(trio), hrv), None)
    coupled = couple(trio, same_values=same_values).on(model)
    rows = "2 rows of a model call into 3" if edit == "steered" else "4 rows of a model call into 6"
    with pytest.raises(HRVError, match=f"turns the {rows} inside attention \\(AttentionCouple"):
        trio.sample(coupled, positive, trio.encode(""), latent=latent)


def test_a_couple_that_travels_with_the_conditioning_is_refused_by_name(trio, hrv):
    model, steered = adjusted(trio.model, prompt(trio), hrv)
    with pytest.raises(HRVError, match="into 2 inside attention \\(AttentionCouple"):
        trio.sample(model, couple(trio).hooked(steered), trio.encode(""))


def test_a_couple_beside_a_steered_model_without_a_steered_prompt_works_as_ever(trio, hrv):
    model, _ = adjusted(trio.model, prompt(trio), hrv)
    ours = trio.sample(couple(trio).on(model), trio.encode("x"), trio.encode(""))
    assert torch.equal(ours, trio.sample(couple(trio).on(trio.model), trio.encode("x"), trio.encode("")))


def test_a_prompt_beside_the_coupled_one_is_steered(trio, hrv):
    model, steered = adjusted(trio.model, prompt(trio), hrv)
    columns = steered[0][1][KEY].table.columns_of("lavender")
    r = torch.from_numpy(2 * hrv.row("Color") - hrv.row("Plants"))
    ours = trio.sample(model, steered + couple(trio).hooked(trio.encode("x")), trio.encode(""))
    reference = ByContent(hrv.layout, prompt(trio), columns, r).on(trio.model)
    theirs = trio.sample(reference, prompt(trio) + couple(trio).hooked(trio.encode("x")), trio.encode(""))
    assert relative(ours, theirs) <= TOGETHER


def test_values_that_structured_diffusion_lends_reach_the_base_prompt_of_a_couple(trio):
    model, positive = HRVStructuredDiffusion.execute(trio.model, prompt(trio), trio.clip, "lavender color", RULES).args
    lent = positive[0][1][KEY].values
    reference = ByContent(layout_of(trio.model), positive, tuple(lent.columns), values=lent.rows).on(trio.model)
    ours = trio.sample(couple(trio).on(model), positive, trio.encode(""))
    assert relative(ours, trio.sample(couple(trio).on(reference), positive, trio.encode(""))) <= TOGETHER
    assert relative(ours, trio.sample(couple(trio).on(trio.model), positive, trio.encode(""))) > 1e-4


def test_a_replacement_with_keys_and_values_of_its_own_is_refused_by_name(trio, hrv):
    modules = dict(cross_attentions(trio.model.model.diffusion_model))

    def with_own(model: Any) -> Any:
        model = model.clone()
        for site in hrv.layout.sites:
            theirs = OwnKeysAndValues(modules[site.key], trio.encode("a dog")[0][0])
            model.set_model_attn2_replace(theirs, *site.key[:2], site.key[2])
        return model

    model, steered = adjusted(trio.model, prompt(trio), hrv)
    for ours, positive, latent in ((model, steered, None), edited(trio)):
        with pytest.raises(HRVError, match="keys and values of its own \\(OwnKeysAndValues"):
            trio.sample(with_own(ours), positive, trio.encode(""), latent=latent)
    untagged = trio.encode("x")
    ours = trio.sample(with_own(model), untagged, trio.encode(""))
    assert torch.equal(ours, trio.sample(with_own(trio.model), untagged, trio.encode("")))


# Regional blocks


@pytest.fixture(scope="module")
def regional(trio) -> Trio:
    """The same weights in a UNet of another pack."""
    with torch.inference_mode():
        made = tiny_trio()
        with_regional_blocks(made.model)
        return made


def test_foreign_blocks_with_a_mask_are_refused_by_name_and_work_without_one(trio, regional, hrv):
    columns = prompt(trio)[0][1][KEY].table.columns_of("lavender")
    explicit = with_explicit_maps(
        trio.model, hrv.layout, torch.from_numpy(2 * hrv.row("Color") - hrv.row("Plants")), columns
    )
    model, steered = adjusted(regional.model, prompt(trio), hrv)
    options = model.model_options["transformer_options"]
    options["regional_conditioning_weight"] = 0.0  # their samplers always set it
    expected = trio.sample(explicit, prompt(trio), trio.encode(""))
    assert relative(trio.sample(model, steered, trio.encode("")), expected) <= TOGETHER
    assert receipts_of(model) == ["HRV steering: 10 of 10 layers, 2 of 2 steps, 20 rows in 20 attention calls"]
    options["AttnMask"] = torch.tensor([0, 1, 2])
    with pytest.raises(HRVError, match="exchanged by another node \\(RegionalBlock of.*AttnMask"):
        trio.sample(model, steered, trio.encode(""))
    masked = regional.model.clone()
    masked.model_options["transformer_options"]["AttnMask"] = torch.tensor([0, 1, 2])
    ours = trio.sample(model, trio.encode("x"), trio.encode(""))
    assert torch.equal(ours, trio.sample(masked, trio.encode("x"), trio.encode("")))


def test_structured_diffusion_works_in_a_unet_that_runs_its_rows_one_by_one(trio, regional):
    made = [
        HRVStructuredDiffusion.execute(m, prompt(trio), trio.clip, "lavender color", RULES).args
        for m in (trio.model, regional.model)
    ]
    ours, theirs = (trio.sample(model, positive, trio.encode(""), batch=2) for model, positive in made)
    assert relative(theirs, ours) <= TOGETHER


def test_an_edit_in_a_unet_that_runs_its_rows_one_by_one_is_refused(trio, regional):
    model, positive, latent = edited(trio, regional.model)
    with pytest.raises(HRVError, match="computed without its source"):
        trio.sample(model, positive, trio.encode(""), latent=latent)
