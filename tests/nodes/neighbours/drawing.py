"""What the tests of rows and receipts draw with: prompts, a steered word, an edit, windows, guiders."""

from __future__ import annotations

from typing import Any

import comfy.context_windows
import comfy.sample
import comfy.samplers
import torch
from comfy_extras.nodes_context_windows import ContextWindowsManualNode

import nodes
from comfyui_hrv.nodes.editing.p2p_edit import HRVP2PEdit
from comfyui_hrv.nodes.host.conditioning import KEY
from comfyui_hrv.nodes.prompt import HRVPrompt
from comfyui_hrv.nodes.steering.adjust import HRVConceptAdjust

from ..tiny import Trio
from .contents import ByContent

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


def windowed(
    model: Any, length: int, overlap: int = 0, schedule: str = "batched", fuse: str = "flat", anchor: bool = False
) -> Any:
    schedule = getattr(comfy.context_windows.ContextSchedules, schedule.upper())
    return ContextWindowsManualNode.execute(
        model, length, overlap, schedule, 1, False, fuse, 0, False, causal_window_fix=anchor
    ).args[0]


def edited(trio: Trio, model: Any = None, latent: dict | None = None, seeds: int = 1) -> tuple[Any, list, dict]:
    """MODEL, CONDITIONING, LATENT of HRV P2P Edit."""
    settings = ("", "", "", 0.8, 0.5, "auto", "", "", "aligned", "auto", 0.0, "", 0.3, 0.2, seeds)
    source, target = prompt(trio, "a blue car on a road"), prompt(trio, "a red car on a road")
    return HRVP2PEdit.execute(model or trio.model, source, target, latent or images(1), *settings).args
