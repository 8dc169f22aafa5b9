"""HRV Weaken Sweep in real ComfyUI: every image is the one a single run draws, whatever the batch size."""

from __future__ import annotations

import json

import comfy.model_management
import comfy.sample
import comfy.sd
import comfy.taesd.taesd
import numpy as np
import pytest
import torch
from comfy_extras.nodes_easycache import EasyCacheNode, LazyCacheNode
from comfy_extras.nodes_mahiro import Mahiro
from comfy_extras.nodes_model_advanced import RescaleCFG

import nodes
from comfyui_hrv.hrv_engine.errors import HRVError
from comfyui_hrv.hrv_engine.relevance.relevance import HeadRelevance
from comfyui_hrv.nodes.editing.p2p_edit import HRVP2PEdit
from comfyui_hrv.nodes.host import progress
from comfyui_hrv.nodes.host.sweep import Sampling, sweep
from comfyui_hrv.nodes.host.unet import layout_of
from comfyui_hrv.nodes.prompt import HRVPrompt
from comfyui_hrv.nodes.see.weaken import HRVWeaken
from comfyui_hrv.nodes.see.weaken_sweep import HRVWeakenSweep

from ..explicit import relative
from ..tiny import Trio, randomise
from ..vectors import random_vectors

pytestmark = pytest.mark.usefixtures("inference_mode")
TEXT = "a copper kettle"
EDIT = ("", "", "", 0.8, 0.6, "auto", "", "", "aligned", "auto", 0.0, "", 0.3, 0.2, 1)  # of HRV P2P Edit


@pytest.fixture(scope="module")
def vae():
    with torch.inference_mode():
        small = comfy.taesd.taesd.TAESD(latent_channels=4)
        randomise(small, 2)
        return comfy.sd.VAE(sd=small.state_dict())


@pytest.fixture(scope="module")
def hrv(trio: Trio) -> HeadRelevance:
    return random_vectors(trio.model, "Material", "Plants")


def run(
    trio, vae, hrv, heads="0, 4", orders="MoRHF, random:3", sampler="euler", batch_size=3, images=1, factors="-2",
    model=None, steps=2,
):  # fmt: skip
    positive, negative = HRVPrompt.execute(trio.clip, TEXT).args[0], trio.encode("")
    latent = nodes.EmptyLatentImage().generate(64, 64, images)[0]
    settings = (5, steps, 5.0, sampler, "normal", batch_size)
    return HRVWeakenSweep.execute(
        model or trio.model, positive, negative, vae, latent, hrv, "Material", heads, orders, factors, *settings
    ).args


def single(
    trio, vae, hrv, order: str, heads: int, order_seed: int, sampler="euler", model=None, steps=2
) -> torch.Tensor:
    positive = HRVPrompt.execute(trio.clip, TEXT).args[0]
    settings = ("Material", order, heads, -2.0, order_seed, 0.0, 1.0)
    weakened, marked = HRVWeaken.execute(model or trio.model, positive, hrv, "", *settings).args
    return vae.decode(trio.sample(weakened, marked, trio.encode(""), seed=5, sampler=sampler, steps=steps))


@pytest.mark.parametrize("batch_size, sampler", [(1, "euler"), (3, "euler"), (4, "euler_ancestral")])
def test_every_image_is_the_one_a_single_run_draws(trio, vae, hrv, batch_size, sampler):
    _, images, table = run(trio, vae, hrv, sampler=sampler, batch_size=batch_size)
    rows = [json.loads(line) for line in table.splitlines()]
    assert [(row["order"], row["heads"]) for row in rows] == [
        ("MoRHF", 0), ("MoRHF", 4), ("random 3", 0), ("random 3", 4)
    ]  # fmt: skip
    asked = [("MoRHF", 0, 0), ("MoRHF", 4, 0), ("random", 0, 3), ("random", 4, 3)]
    for image, (order, heads, seed) in zip(images, asked, strict=True):
        assert relative(image[None], single(trio, vae, hrv, order, heads, seed, sampler)) <= 1e-3  # the VAE amplifies
    assert not torch.allclose(images[1], images[3], atol=1e-3)


def at_once(trio, hrv, monkeypatch, vae, **changes) -> set[int]:
    """How many images were drawn at once, of a sweep of 4 in batches of 4 that is equal to single images."""
    sizes, real = set(), comfy.sample.sample

    def counted(model, noise, *arguments, **named):
        sizes.add(len(noise))
        return real(model, noise, *arguments, **named)

    monkeypatch.setattr(comfy.sample, "sample", counted)
    images = run(trio, vae, hrv, batch_size=4, **changes)[1]
    monkeypatch.undo()
    asked = [("MoRHF", 0, 0), ("MoRHF", 4, 0), ("random", 0, 3), ("random", 4, 3)]
    for image, (order, heads, seed) in zip(images, asked, strict=True):
        assert relative(image[None], single(trio, vae, hrv, order, heads, seed, **changes)) <= 1e-3
    return sizes


SETTLED = ["euler", "heun", "dpmpp_2m", "uni_pc", "dpm_fast", "heunpp2", "res_multistep", "euler_cfg_pp"]
UNSETTLED = ["dpm_adaptive", "dpmpp_sde", "lcm", "er_sde", "seeds_2", "dpmpp_2m_sde_gpu"]


@pytest.mark.parametrize("sampler", SETTLED + UNSETTLED)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_sampler_that_mixes_rows_or_draws_noise_draws_one_at_a_time_and_others_all_at_once(
    trio, vae, hrv, monkeypatch, sampler
):
    expected = {4} if sampler in SETTLED else {1}
    assert at_once(trio, hrv, monkeypatch, vae, sampler=sampler, steps=3) == expected


def rescaled(model):
    return RescaleCFG().patch(model, 0.7)[0]


def mahiro(model):
    return Mahiro.execute(model).args[0]


def easycache(model):
    return EasyCacheNode.execute(model, 3.0, 0.0, 1.0, False).args[0]


def lazycache(model):
    return LazyCacheNode.execute(model, 3.0, 0.0, 1.0, False).args[0]


@pytest.mark.parametrize("patched, expected", [(rescaled, 4), (mahiro, 1), (easycache, 1), (lazycache, 1)])
def test_guidance_and_caches_that_look_at_a_whole_batch_draw_one_at_a_time(
    trio, vae, hrv, monkeypatch, patched, expected
):
    assert at_once(trio, hrv, monkeypatch, vae, model=patched(trio.model), steps=8) == {expected}


def test_several_factors_make_a_row_each_and_say_so(trio, vae, hrv):
    sheet, images, table = run(trio, vae, hrv, heads="4", orders="MoRHF, random:3:reversed", factors="-2, 1")
    rows = [json.loads(line) for line in table.splitlines()]
    assert [(row["order"], row["factor"]) for row in rows] == [
        ("MoRHF", -2.0), ("MoRHF", 1.0), ("random 3 reversed", -2.0), ("random 3 reversed", 1.0)
    ]  # fmt: skip
    assert rows[0]["prompt"] == TEXT and rows[0]["total"] == hrv.layout.total and rows[0]["concept"] == "Material"
    assert torch.allclose(images[1], images[3], atol=1e-3) and not torch.allclose(images[0], images[1], atol=1e-3)
    assert relative(images[2][None], single(trio, vae, hrv, "random reversed", 4, 3)) <= 1e-3


def test_the_sheet_holds_every_image_under_its_labels(trio, vae, hrv):
    sheet, images, _ = run(trio, vae, hrv)
    zoom = 2  # 64 px are enlarged to at least 96
    assert sheet.shape[1] > 2 * 64 * zoom and sheet.shape[2] > 2 * 64 * zoom
    first = (images[0].clamp(0, 1) * 255).round().repeat_interleave(zoom, 0).repeat_interleave(zoom, 1)
    pixels = (sheet[0] * 255).round()
    height, width = first.shape[:2]
    corners = [(y, x) for y in range(12, 60) for x in range(12, 160) if torch.equal(pixels[y, x], first[0, 0])]
    assert any(torch.equal(pixels[y : y + height, x : x + width], first) for y, x in corners)


def test_cancelling_stops_between_steps(trio, vae, hrv, monkeypatch):
    def cancelled():
        raise comfy.model_management.InterruptProcessingException

    monkeypatch.setattr(progress.comfy.model_management, "throw_exception_if_processing_interrupted", cancelled)
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        run(trio, vae, hrv)


@pytest.mark.parametrize(
    "change, quoted",
    [
        ({"heads": "0, eleven"}, '"0, eleven"'),
        ({"heads": ""}, "no list of head counts"),
        ({"heads": "0, 4000"}, "H = "),
        ({"orders": "MoRHF, best"}, '"best".*MoRHF, LeRHF, random'),
        ({"orders": " "}, "No order"),
        ({"images": 2}, "holds 2"),
        ({"factors": "-2, strong"}, '"-2, strong".*-10 to 10'),
        ({"factors": ""}, "no list of factors"),
    ],
)
def test_bad_grids_orders_and_batches_are_refused_with_the_fix(trio, vae, hrv, change, quoted):
    with pytest.raises(HRVError, match=quoted):
        run(trio, vae, hrv, **change)


@pytest.mark.parametrize("more", [{}, {"noise_mask": True}, {"batch_index": [3]}], ids=["plain", "mask", "batch index"])
def test_what_a_latent_says_of_its_mask_and_of_its_noise_holds_as_for_a_ksampler(trio, more):
    latent = {"samples": torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0)), **more}
    if "noise_mask" in more:
        latent["noise_mask"] = torch.zeros(1, 1, 8, 8)
        latent["noise_mask"][..., 4:] = 1
    positive, negative = HRVPrompt.execute(trio.clip, TEXT).args[0], trio.encode("")
    factors = np.ones((2, layout_of(trio.model).total), np.float32)
    settings = (1, 3, 5.0, "euler", "normal")
    drawn = sweep(trio.model, positive, negative, latent, lambda table: table.columns, factors, Sampling(*settings), 2)
    (alone,) = nodes.common_ksampler(trio.model, *settings, positive, negative, latent)
    assert relative(drawn[:1], alone["samples"]) < 1e-4 and relative(drawn[1:], alone["samples"]) < 1e-4


def test_the_stacked_prompts_of_an_edit_are_refused(trio, vae, hrv):
    latent = nodes.EmptyLatentImage().generate(64, 64, 1)[0]
    prompts = [HRVPrompt.execute(trio.clip, text).args[0] for text in (TEXT, "a silver kettle")]
    model, positive, _ = HRVP2PEdit.execute(trio.model, *prompts, latent, *EDIT).args[:3]
    settings = ("Material", "0, 4", "MoRHF", "-2", 5, 2, 5.0, "euler", "normal", 3)
    with pytest.raises(HRVError, match="stacked prompts of an editing node"):
        HRVWeakenSweep.execute(model, positive, trio.encode(""), vae, latent, hrv, *settings)
