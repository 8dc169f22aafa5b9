"""Context windows over the batch and tilers: every image and every tile is treated as alone, or the node says no."""

from __future__ import annotations

from typing import Any

import comfy.context_windows
import comfy.hooks
import comfy.sample
import comfy.samplers
import numpy as np
import pytest
import torch

from comfyui_hrv.hrv_engine.errors import HRVError
from comfyui_hrv.nodes.guidance.attend_excite import HRVAttendExcite
from comfyui_hrv.nodes.guidance.structured_diffusion import RULES, HRVStructuredDiffusion
from comfyui_hrv.nodes.host.conditioning import KEY
from comfyui_hrv.nodes.host.unet import layout_of
from comfyui_hrv.nodes.see.token_maps import HRVTokenMaps
from comfyui_hrv.nodes.steering.shared import steer, word_columns

from ..explicit import relative
from ..explicit_pairs import ExplicitPairs
from ..tiny import Trio
from .contents import ByContent
from .drawing import NEGATIVE, PROMPT, TOGETHER, adjusted, edited, explicit, images, prompt, windowed
from .neighbours import Tiler, known_keys_only

pytestmark = pytest.mark.usefixtures("inference_mode")

# Context windows over the batch


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
