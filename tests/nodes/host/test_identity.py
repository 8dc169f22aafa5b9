"""Rows know whose they are: every guider, region and batching steers the prompt that asked, and no other."""

from __future__ import annotations

from typing import Any

import comfy.context_windows
import comfy.hooks
import comfy.sample
import comfy.samplers
import pytest
import torch
from comfy_extras.nodes_custom_sampler import DualCFGGuider, DualModelGuider
from comfy_extras.nodes_perpneg import PerpNeg, PerpNegGuider
from comfy_extras.nodes_sag import SelfAttentionGuidance

import nodes
from comfyui_hrv.hrv_engine.errors import HRVError
from comfyui_hrv.nodes.host.conditioning import KEY
from comfyui_hrv.nodes.steering.adjust import HRVConceptAdjust

from ..explicit import relative
from ..neighbours.drawing import NEGATIVE, OTHER, PROMPT, TOGETHER, adjusted, explicit, guided, prompt, windowed
from ..neighbours.neighbours import known_keys_only
from ..tiny import Trio, tiny_trio

pytestmark = pytest.mark.usefixtures("inference_mode")
# Guiders


@pytest.mark.parametrize("style", ["regular", "nested"])
@pytest.mark.parametrize("place", ["positive", "middle", "negative"])
def test_dual_cfg_steers_the_conditioning_that_asks_wherever_it_is(trio, hrv, style, place):
    def draw(model: Any, conditioning: list) -> torch.Tensor:
        conds = {"positive": trio.encode(OTHER), "middle": trio.encode("a road"), "negative": trio.encode(NEGATIVE)}
        conds[place] = conditioning
        return guided(DualCFGGuider.execute(model, *conds.values(), 5.0, 3.0, style).args[0])

    ours = draw(*adjusted(trio.model, prompt(trio), hrv))
    assert relative(ours, draw(explicit(trio, hrv), prompt(trio))) <= TOGETHER
    assert relative(ours, draw(trio.model, prompt(trio))) > 1e-4


def test_dual_cfg_skips_conditionings_at_cfg_one_and_steers_the_rest(trio, hrv):
    def draw(model: Any, conditioning: list) -> torch.Tensor:
        beside = (trio.encode(OTHER), trio.encode(NEGATIVE))
        return guided(DualCFGGuider.execute(model, conditioning, *beside, 1.0, 1.0, "regular").args[0])

    ours = draw(*adjusted(trio.model, prompt(trio), hrv))
    assert relative(ours, draw(explicit(trio, hrv), prompt(trio))) <= TOGETHER
    assert relative(ours, draw(trio.model, prompt(trio))) > 1e-4


@pytest.mark.parametrize("place", ["positive", "negative"])
@pytest.mark.parametrize("windows", [False, True])
def test_a_guider_of_two_models_steers_the_conditioning_that_asks(trio, hrv, place, windows):
    other = tiny_trio(seed=7).model

    def draw(model: Any, conditioning: list) -> torch.Tensor:
        positive, negative = (conditioning, trio.encode("")) if place == "positive" else (trio.encode(""), conditioning)
        model = windowed(model, 2) if windows else model
        return guided(DualModelGuider.execute(model, positive, 4.0, other, negative).args[0], batch=4)

    ours = draw(*adjusted(trio.model, prompt(trio), hrv))
    assert relative(ours, draw(explicit(trio, hrv), prompt(trio))) <= TOGETHER
    assert relative(ours, draw(trio.model, prompt(trio))) > 1e-4


@pytest.mark.parametrize("place", [0, 1, 2])
def test_the_perp_neg_guider_steers_the_conditioning_that_asks(trio, hrv, place):
    def draw(model: Any, conditioning: list) -> torch.Tensor:
        conds = [trio.encode(OTHER), trio.encode(NEGATIVE), trio.encode("")]
        conds[place] = conditioning
        return guided(PerpNegGuider.execute(model, *conds, 5.0, 1.0).args[0])

    ours = draw(*adjusted(trio.model, prompt(trio), hrv))
    assert relative(ours, draw(explicit(trio, hrv), prompt(trio))) <= TOGETHER
    assert relative(ours, draw(trio.model, prompt(trio))) > 1e-4


def test_the_perp_neg_node_which_calls_the_model_once_more_is_steered_in_the_positive(trio, hrv):
    def draw(model: Any, conditioning: list) -> torch.Tensor:
        perpendicular = PerpNeg.execute(model, trio.encode(""), 1.0).args[0]
        return trio.sample(perpendicular, conditioning, trio.encode(NEGATIVE))

    ours = draw(*adjusted(trio.model, prompt(trio), hrv))
    assert relative(ours, draw(explicit(trio, hrv), prompt(trio))) <= TOGETHER


@pytest.mark.parametrize("order", ["ours first", "ours last"])
def test_the_copy_of_an_area_in_the_negative_is_not_steered_where_sag_runs_the_negative_alone(trio, hrv, order):
    positive = nodes.ConditioningSetArea().append(prompt(trio), 64, 64, 0, 64, 1.0)[0]
    background, negative = trio.encode("a field"), trio.encode(NEGATIVE)

    def sag(model: Any) -> Any:
        return SelfAttentionGuidance.execute(model, 0.5, 2.0).args[0]

    if order == "ours first":
        model, steered = adjusted(trio.model, positive, hrv)
        model = sag(model)
    else:
        model, steered = adjusted(sag(trio.model), positive, hrv)
    expected = trio.sample(sag(explicit(trio, hrv)), background + positive, negative, size=128)
    ours = trio.sample(model, background + steered, negative, size=128)
    assert relative(ours, expected) <= TOGETHER
    assert relative(ours, trio.sample(sag(trio.model), background + positive, negative, size=128)) > 1e-4


# Regions, ranges, hooks, batches


def area(conditioning: list) -> list:
    return nodes.ConditioningSetArea().append(conditioning, 32, 64, 0, 32, 0.8)[0]


def mask(conditioning: list) -> list:
    half = torch.zeros(1, 64, 64)
    half[..., :32] = 1
    return nodes.ConditioningSetMask().append(conditioning, half, "default", 1.0)[0]


def bounds(conditioning: list) -> list:
    part = torch.zeros(1, 96, 96)
    part[..., :64] = 1
    return nodes.ConditioningSetMask().append(conditioning, part, "mask bounds", 0.7)[0]


def early(conditioning: list) -> list:
    return nodes.ConditioningSetTimestepRange().set_range(conditioning, 0.0, 0.5)[0]


def late(conditioning: list) -> list:
    return nodes.ConditioningSetTimestepRange().set_range(conditioning, 0.5, 1.0)[0]


@pytest.mark.parametrize("part", [area, mask, bounds, early, late])
def test_a_prompt_for_a_part_of_the_image_or_of_the_run_is_steered_there_alone(trio, hrv, part):
    beside, negative = trio.encode(OTHER), trio.encode(NEGATIVE)
    model, steered = adjusted(trio.model, part(prompt(trio)), hrv)
    ours = trio.sample(model, beside + steered, negative, batch=2, size=96, steps=3)
    theirs = trio.sample(explicit(trio, hrv), beside + part(prompt(trio)), negative, batch=2, size=96, steps=3)
    assert relative(ours, theirs) <= TOGETHER
    plain = trio.sample(trio.model, beside + part(prompt(trio)), negative, batch=2, size=96, steps=3)
    assert relative(ours, plain) > 1e-4


def test_a_prompt_whose_range_holds_no_step_is_no_error_and_changes_nothing(trio, hrv):
    never = nodes.ConditioningSetTimestepRange().set_range(prompt(trio), 0.4, 0.41)[0]
    model, steered = adjusted(trio.model, never, hrv)
    beside, negative = trio.encode(OTHER), trio.encode(NEGATIVE)
    ours = trio.sample(model, beside + steered, negative)
    assert torch.equal(ours, trio.sample(trio.model, beside + never, negative))


def test_a_steered_window_outside_the_range_of_its_prompt_is_no_error(trio, hrv):
    positive = early(prompt(trio))
    settings = ("lavender", "Color", "Plants", 2.0, 1.0, 1.0, 0, 0.0, 0.6, 1.0)
    model, steered = HRVConceptAdjust.execute(trio.model, positive, hrv, *settings).args
    beside, negative = trio.encode(OTHER), trio.encode(NEGATIVE)
    ours = trio.sample(model, beside + steered, negative, steps=4)
    assert torch.equal(ours, trio.sample(trio.model, beside + positive, negative, steps=4))


@pytest.mark.parametrize("hooked", ["steered", "other"])
def test_a_lora_hook_on_one_conditioning_which_runs_by_itself(trio, hrv, hooked):
    name, shape = "diffusion_model.middle_block.1.transformer_blocks.0.attn2.to_v", (64, 64)
    generator = torch.Generator().manual_seed(5)
    lora = {f"{name}.lora_{part}.weight": torch.randn(shape, generator=generator) / 8 for part in ("up", "down")}

    def draw(model: Any, conditioning: list, strength: float = 1.0) -> torch.Tensor:
        group = comfy.hooks.create_hook_lora(lora, strength, 0.0)
        first, second = conditioning, trio.encode(OTHER)
        if hooked == "steered":
            first = comfy.hooks.set_hooks_for_conditioning(first, group)
        else:
            second = comfy.hooks.set_hooks_for_conditioning(second, group)
        return trio.sample(model, first + second, trio.encode(NEGATIVE), batch=2)

    model, steered = adjusted(trio.model, prompt(trio), hrv)
    ours = draw(model, steered)
    assert relative(ours, draw(explicit(trio, hrv), prompt(trio))) <= TOGETHER
    assert relative(ours, draw(model, steered, strength=0.5)) > 1e-4


def test_five_images_of_an_odd_size_are_the_five_single_images(trio, hrv):
    noise = torch.randn(5, 4, 7, 9, generator=torch.Generator().manual_seed(1))  # 72 x 56 px

    def draw(model: Any, positive: list, noise: torch.Tensor) -> torch.Tensor:
        settings = (2, 5.0, "euler", "normal", positive, trio.encode(NEGATIVE), torch.zeros_like(noise))
        return comfy.sample.sample(model, noise, *settings, disable_pbar=True)

    model, steered = adjusted(trio.model, prompt(trio), hrv)
    together = draw(model, steered, noise)
    assert relative(together, draw(explicit(trio, hrv), prompt(trio), noise)) <= TOGETHER
    assert relative(together, torch.cat([draw(model, steered, one) for one in noise.split(1)])) <= TOGETHER


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_several_positives_in_calls_of_any_size(trio, hrv, monkeypatch, rows):
    model, steered = adjusted(trio.model, prompt(trio), hrv)
    positive = trio.encode(OTHER) + steered + trio.encode("a road")
    negative = trio.encode(NEGATIVE) + trio.encode("blurry")
    calls: list[int] = []

    def tight(self, shape, *args, **kwargs):
        calls.append(shape[0])
        return 0 if shape[0] <= rows else 1e30

    monkeypatch.setattr(type(model.model), "memory_required", tight)
    ours = trio.sample(model, positive, negative)
    assert rows in calls
    reference = trio.sample(explicit(trio, hrv), trio.encode(OTHER) + prompt(trio) + trio.encode("a road"), negative)
    assert relative(ours, reference) <= TOGETHER


# The model call itself


class Spy:
    """Notes every call of a UNet: its shape, its keywords, the keys of its options."""

    def __init__(self, trio: Trio, monkeypatch: pytest.MonkeyPatch) -> None:
        unet = trio.model.model.diffusion_model
        self.calls: list[tuple] = []
        forward = unet.forward

        def noted(x, *args, **named):
            options = named.get("transformer_options", {})
            self.calls.append(
                (tuple(x.shape), len(args), tuple(named), tuple(options), tuple(options["cond_or_uncond"]))
            )
            return forward(x, *args, **named)

        monkeypatch.setattr(unet, "forward", noted)

    def of(self, draw: Any) -> list[tuple]:
        """The calls of one run."""
        self.calls = []
        draw()
        return self.calls


def test_steering_makes_the_calls_of_the_plain_model_cond_and_uncond_together(trio, hrv, monkeypatch):
    spy, negative = Spy(trio, monkeypatch), trio.encode(NEGATIVE)
    model, steered = adjusted(trio.model, prompt(trio), hrv)
    area_model, area_steered = adjusted(trio.model, area(prompt(trio)), hrv)
    for ours, positive, plain in (
        (model, steered, prompt(trio)),
        (model, trio.encode(OTHER) + steered, trio.encode(OTHER) + prompt(trio)),
        (area_model, trio.encode(OTHER) + area_steered, trio.encode(OTHER) + area(prompt(trio))),
    ):
        red = spy.of(lambda ours=ours, positive=positive: trio.sample(ours, positive, negative, batch=2))
        white = spy.of(lambda plain=plain: trio.sample(trio.model, plain, negative, batch=2))
        assert [(shape, kinds) for shape, *_, kinds in red] == [(shape, kinds) for shape, *_, kinds in white]
    assert white[0][0][0] == 4 and sorted(white[0][-1]) == [0, 1]


@pytest.mark.parametrize("case", ["untagged", "neutral", "steered"])
def test_no_key_of_ours_reaches_the_model(trio, hrv, monkeypatch, case):
    spy, negative = Spy(trio, monkeypatch), trio.encode(NEGATIVE)
    strength = 0.0 if case == "neutral" else 1.0
    settings = ("lavender", "Color", "Plants", 2.0, 1.0, strength, 0, 0.0, 0.0, 1.0)
    model, steered = HRVConceptAdjust.execute(trio.model, prompt(trio), hrv, *settings).args
    positive = trio.encode(PROMPT) if case == "untagged" else steered
    drawn: list[torch.Tensor] = []
    ours = spy.of(lambda: drawn.append(trio.sample(model, positive, negative)))
    plain = spy.of(lambda: drawn.append(trio.sample(trio.model, trio.encode(PROMPT), negative)))
    known = {"wrappers", "patches_replace"}  # the host's own keys, which a model without patches lacks
    for (_, args, names, options, _), (_, *expected, _) in zip(ours, plain, strict=True):
        assert [args, names] == expected[:2]
        assert set(options) - set(expected[2]) <= known and not [key for key in options if key.startswith("hrv")]
    assert torch.equal(*drawn) == (case != "steered")


@pytest.mark.parametrize("fails", [False, True])
def test_nothing_of_ours_is_left_in_guider_and_model_after_a_run(trio, hrv, fails):
    model, steered = adjusted(trio.model, prompt(trio), hrv)
    if fails:
        model.set_model_unet_function_wrapper(known_keys_only)
    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds(steered, trio.encode(NEGATIVE))
    guider.set_cfg(5.0)
    before = {key: dict(value) for key, value in model.model_options.items() if isinstance(value, dict)}
    if fails:
        with pytest.raises(HRVError):
            guided(guider)
    else:
        guided(guider)
    conds = getattr(guider, "conds", {})  # gone after a run that went well
    for group in [*conds.values(), *guider.original_conds.values()]:
        for cond in group:
            keys = [*cond, *cond.get("model_conds", {})]
            assert [key for key in keys if key.startswith("hrv")] in ([], [KEY])
    after = {key: dict(value) for key, value in model.model_options.items() if isinstance(value, dict)}
    assert after == before
    unet = trio.model.model.diffusion_model
    assert not [name for name in vars(unet) if "hrv" in name] and not hasattr(guider, "hrv_run")
