"""Rows know whose they are: every guider, window, tiler and batching steers the prompt that asked, and no other."""

from __future__ import annotations

from typing import Any

import comfy.context_windows
import comfy.hooks
import comfy.sample
import comfy.samplers
import numpy as np
import pytest
import torch
from comfy_extras.nodes_context_windows import ContextWindowsManualNode
from comfy_extras.nodes_custom_sampler import DualCFGGuider, DualModelGuider
from comfy_extras.nodes_perpneg import PerpNeg, PerpNegGuider
from comfy_extras.nodes_sag import SelfAttentionGuidance

import nodes
from comfyui_hrv.hrv_engine.errors import HRVError
from comfyui_hrv.nodes.editing.p2p_edit import HRVP2PEdit
from comfyui_hrv.nodes.guidance.attend_excite import HRVAttendExcite
from comfyui_hrv.nodes.guidance.structured_diffusion import RULES, HRVStructuredDiffusion
from comfyui_hrv.nodes.host.conditioning import KEY
from comfyui_hrv.nodes.host.unet import layout_of
from comfyui_hrv.nodes.prompt import HRVPrompt
from comfyui_hrv.nodes.see.token_maps import HRVTokenMaps
from comfyui_hrv.nodes.steering.adjust import HRVConceptAdjust
from comfyui_hrv.nodes.steering.shared import steer, word_columns

from ..explicit import relative
from ..explicit_pairs import ExplicitPairs
from ..tiny import Trio, tiny_trio
from .contents import ByContent
from .neighbours import Tiler, known_keys_only

pytestmark = pytest.mark.usefixtures("inference_mode")
PROMPT, NEGATIVE, OTHER = "a vase in lavender color", "ugly", "a dog on the grass"
TOGETHER = 1e-5  # how far one sum in two orders may differ, relative


def prompt(trio: Trio, text: str = PROMPT) -> list:
    return HRVPrompt.execute(trio.clip, text).args[0]


def adjusted(model: Any, positive: list, hrv: Any) -> tuple[Any, list]:
    settings = ("lavender", "Color", "Plants", 2.0, 1.0, 1.0, 0, 0.0, 0.0, 1.0)
    return HRVConceptAdjust.execute(model, positive, hrv, *settings).args


def explicit(trio: Trio, hrv: Any, model: Any = None) -> Any:
    """MODEL that multiplies the maps of PROMPT's lavender by r, in the rows that attend to PROMPT."""
    own, r = prompt(trio), torch.from_numpy(2 * hrv.row("Color") - hrv.row("Plants"))
    return ByContent(hrv.layout, own, own[0][1][KEY].table.columns_of("lavender"), r).on(model or trio.model)


def guided(guider: Any, batch: int = 1, steps: int = 2, seed: int = 1, latent: dict | None = None) -> torch.Tensor:
    """Latents of Sampler Custom Advanced with euler."""
    latent = latent or images(batch)
    noise = comfy.sample.prepare_noise(latent["samples"], seed, latent.get("batch_index"))
    sampling = guider.model_patcher.get_model_object("model_sampling")
    sigmas = comfy.samplers.calculate_sigmas(sampling, "normal", steps)
    sampler = comfy.samplers.sampler_object("euler")
    return guider.sample(noise, latent["samples"], sampler, sigmas, disable_pbar=True, seed=seed)


def images(count: int, size: int = 64) -> dict:
    return nodes.EmptyLatentImage().generate(size, size, count)[0]


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


# Context windows over the batch


def windowed(
    model: Any, length: int, overlap: int = 0, schedule: str = "batched", fuse: str = "flat", anchor: bool = False
) -> Any:
    schedule = getattr(comfy.context_windows.ContextSchedules, schedule.upper())
    return ContextWindowsManualNode.execute(
        model, length, overlap, schedule, 1, False, fuse, 0, False, causal_window_fix=anchor
    ).args[0]


WINDOWS = [
    {"length": 2},
    {"length": 3},
    {"length": 3, "overlap": 1, "schedule": "static_standard", "fuse": "pyramid", "anchor": True},
    {"length": 2, "overlap": 1, "schedule": "uniform_looped", "fuse": "relative"},
]


@pytest.mark.parametrize("windows", WINDOWS)
def test_windows_over_the_batch_steer_every_image_as_alone(trio, hrv, windows):
    model, steered = adjusted(trio.model, prompt(trio), hrv)
    negative = trio.encode(NEGATIVE)
    ours = trio.sample(windowed(model, **windows), steered, negative, batch=4)
    assert relative(ours, trio.sample(model, steered, negative, batch=4)) <= TOGETHER
    assert relative(ours, trio.sample(explicit(trio, hrv), prompt(trio), negative, batch=4)) <= TOGETHER


@pytest.mark.parametrize("windows", WINDOWS[:3])  # the last sees an image twice in one step and once in another
def test_windows_over_the_batch_give_a_map_of_every_image_as_alone(trio, windows):
    def maps(model: Any, latent: dict) -> Any:
        settings = ("lavender", False, 1, 2, 5.0, "euler", "normal", 1.0, 0.0, 1.0)
        return HRVTokenMaps.execute(model, prompt(trio), trio.encode(NEGATIVE), latent, *settings).args[1]

    together = maps(windowed(trio.model, **windows), images(4))
    for index in range(4):
        single = maps(trio.model, {**images(1), "batch_index": [index]})
        for several, one in zip(together.layers, single.layers, strict=True):
            assert several.shape[0] == 4
            assert relative(several[index : index + 1], one) <= TOGETHER


@pytest.mark.parametrize("windows", WINDOWS)
def test_windows_over_the_batch_keep_the_factors_of_every_image(trio, hrv, windows):
    positive, negative = prompt(trio), trio.encode(NEGATIVE)
    model, _ = adjusted(trio.model, positive, hrv)
    rows = steered_by_image(trio, hrv, positive)
    ours = trio.sample(windowed(model, **windows), rows, negative, batch=4)
    assert relative(ours, trio.sample(model, rows, negative, batch=4)) <= TOGETHER


@pytest.mark.parametrize("windows", WINDOWS)
def test_windows_over_the_batch_guide_every_image_as_alone(trio, windows):
    settings = ("vase", "original", "", "words of the prompt", 30.0, "0:.9", 2, True, 2, 300.0, False)
    model, positive = HRVAttendExcite.execute(trio.model, prompt(trio), *settings).args
    negative = trio.encode(NEGATIVE)
    ours = trio.sample(windowed(model, **windows), positive, negative, batch=4)
    assert relative(ours, trio.sample(model, positive, negative, batch=4)) <= TOGETHER
    assert relative(ours, trio.sample(trio.model, positive, negative, batch=4)) > 1e-4


def steered_by_image(trio: Trio, hrv: Any, positive: list) -> list:
    """A conditioning with factors of their own for four images."""
    rows = np.stack([hrv.row("Color"), hrv.row("Plants"), 2 * hrv.row("Color"), 0 * hrv.row("Plants")])
    return steer(trio.model, positive, word_columns("lavender"), rows, 1.0, 0.0, 1.0).args[1]


def edited(trio: Trio, model: Any = None, latent: dict | None = None, seeds: int = 1) -> tuple[Any, list, dict]:
    """MODEL, CONDITIONING, LATENT of HRV P2P Edit."""
    settings = ("", "", "", 0.8, 0.5, "auto", "", "", "aligned", "auto", 0.0, "", 0.3, 0.2, seeds)
    source, target = prompt(trio, "a blue car on a road"), prompt(trio, "a red car on a road")
    return HRVP2PEdit.execute(model or trio.model, source, target, latent or images(1), *settings).args


def test_windows_that_keep_pairs_whole_leave_an_edit_as_it_is(trio):
    model, positive, latent = edited(trio, seeds=3)
    whole = trio.sample(model, positive, trio.encode(NEGATIVE), latent=latent, steps=4)
    for length in (2, 4):
        ours = trio.sample(windowed(model, length), positive, trio.encode(NEGATIVE), latent=latent, steps=4)
        assert relative(ours, whole) <= TOGETHER


@pytest.mark.parametrize("length, anchor", [(3, False), (1, False), (2, True)])
def test_windows_that_split_a_pair_are_refused_by_name(trio, length, anchor):
    model, positive, latent = edited(trio, seeds=2)
    with pytest.raises(HRVError, match="context windows over the batch.*multiple of 2 images"):
        trio.sample(windowed(model, length, anchor=anchor), positive, trio.encode(NEGATIVE), latent=latent)


def test_windows_of_sources_alone_which_would_get_other_prompts_are_refused(trio):
    model, positive, latent = edited(trio, seeds=2)
    model = windowed(model, 2)
    handler = model.model_options["context_handler"]
    handler.context_schedule = comfy.context_windows.ContextSchedule("own", lambda *_: [[0, 2], [0, 1], [2, 3]])
    with pytest.raises(HRVError, match="context windows over the batch"):
        trio.sample(model, positive, trio.encode(NEGATIVE), latent=latent)


# Tilers


@pytest.mark.parametrize("batch", [1, 2])
def test_tiles_in_one_call_are_steered_as_tiles_in_calls_of_their_own(trio, hrv, batch):
    model, steered = adjusted(trio.model, prompt(trio), hrv)
    negative = trio.encode(NEGATIVE)

    def draw(model: Any, positive: list, at_once: int) -> torch.Tensor:
        return trio.sample(Tiler(4, at_once).on(model), positive, negative, batch=batch)

    one, four = draw(model, steered, 1), draw(model, steered, 4)
    assert relative(four, one) <= TOGETHER
    assert relative(one, draw(explicit(trio, hrv), prompt(trio), 1)) <= TOGETHER
    assert relative(four, draw(explicit(trio, hrv), prompt(trio), 4)) <= TOGETHER
    assert relative(one, draw(trio.model, prompt(trio), 1)) > 1e-4


def test_structured_diffusion_lends_values_to_its_own_rows_of_stacked_tiles(trio):
    text = "a red car and a blue bench"
    model, positive = HRVStructuredDiffusion.execute(trio.model, prompt(trio, text), trio.clip, "", RULES).args
    lent = positive[0][1][KEY].values
    reference = ByContent(layout_of(trio.model), positive, tuple(lent.columns), values=lent.rows).on(trio.model)

    def draw(model: Any, at_once: int) -> torch.Tensor:
        return trio.sample(Tiler(4, at_once).on(model), positive, trio.encode(NEGATIVE), batch=2)

    four = draw(model, 4)
    assert relative(four, draw(model, 1)) <= TOGETHER
    assert relative(four, draw(reference, 4)) <= TOGETHER
    assert relative(four, draw(trio.model, 4)) > 1e-4


def test_an_edit_in_stacked_tiles_is_the_edit_of_single_tiles(trio):
    model, positive, latent = edited(trio, seeds=2)

    def draw(model: Any, at_once: int) -> torch.Tensor:
        tiled = Tiler(4, at_once).on(model)
        return trio.sample(tiled, positive, trio.encode(NEGATIVE), latent=latent, steps=4)

    one = draw(model, 1)
    assert relative(draw(model, 4), one) <= TOGETHER

    def cross(source_map, target_map, head, step):
        return source_map if step < 3 else target_map  # words one for one, until 0.8 of 4 steps

    limit = positive[0][1][KEY].edit.injections[0].sites
    reference = ExplicitPairs(layout_of(trio.model), cross, frozenset(limit), 2).on(trio.model)
    plain = [[positive[0][0], {**positive[0][1], KEY: None}]]
    theirs = trio.sample(Tiler(4, 1).on(reference), plain, trio.encode(NEGATIVE), latent=latent, steps=4)
    assert relative(one, theirs) <= TOGETHER
    assert (
        relative(one, trio.sample(Tiler(4, 1).on(trio.model), plain, trio.encode(NEGATIVE), latent=latent, steps=4))
        > 1e-4
    )


def test_a_wrapper_that_drops_what_it_does_not_know_is_refused_by_name(trio, hrv):
    model, steered = adjusted(trio.model, prompt(trio), hrv)
    model.set_model_unet_function_wrapper(known_keys_only)
    with pytest.raises(HRVError, match="were dropped.*known_keys_only"):
        trio.sample(model, steered, trio.encode(NEGATIVE))
    plain = trio.model.clone()
    plain.set_model_unet_function_wrapper(known_keys_only)
    untagged = trio.encode(PROMPT)
    ours = trio.sample(model, untagged, trio.encode(NEGATIVE))
    assert torch.equal(ours, trio.sample(plain, untagged, trio.encode(NEGATIVE)))


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
