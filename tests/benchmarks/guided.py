"""Steps altered by Attend-and-Excite, beside the same steps written the usual way and diffusers' own.

The usual way is that of the published code: every attention map of every layer is made and kept for autograd, the UNet
runs to its end, and the maps to be read are picked out afterwards: those of one size, averaged over layers and heads,
or through HRVs those of every layer, each weighted by head and resized.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import comfy.samplers
import comfy.utils
import torch
from comfy.patcher_extension import WrappersMP

import nodes
from comfyui_hrv.hrv_engine.attention.values import attention_map, split_heads
from comfyui_hrv.hrv_engine.guidance.losses import GAUSSIAN_DEVIATION, MaxActivation
from comfyui_hrv.hrv_engine.guidance.readings import Reading, mean_reading, relevance_reading, resampled
from comfyui_hrv.hrv_engine.relevance.build_settings import EffectSettings
from comfyui_hrv.hrv_engine.relevance.concepts import Concept, ConceptSet
from comfyui_hrv.hrv_engine.relevance.samples import SampleSet, Templates
from comfyui_hrv.nodes.guidance.attend_excite import HRVAttendExcite
from comfyui_hrv.nodes.host.build_effect import build_by_effect
from comfyui_hrv.nodes.host.gradients import without_inference
from comfyui_hrv.nodes.host.ordinary_weights import OrdinaryWeights
from comfyui_hrv.nodes.host.unet import downsampling_of, layout_of
from comfyui_hrv.nodes.prompt import HRVPrompt
from comfyui_hrv.tools.random_checkpoint import UNET

from .full_size import Steps, random_vectors

TEXT, WORDS, COLUMNS = "a cat and a dog", "cat, dog", ((2,), (5,))
PLAIN, ALTERED, USUAL, DIFFUSERS = "plain", "altered", "usual way", "diffusers' pipeline"
SAVING, WITH_HRVS, BOTH = "altered, saving memory", "altered with HRVs", "altered with HRVs, saving memory"
USUAL_HRVS = "usual way with HRVs"
CONCEPT = "Animals"
LOSSES = {"original": MaxActivation(COLUMNS), "hrv": MaxActivation(COLUMNS, GAUSSIAN_DEVIATION, None)}


def guided_steps(model: Any, clip: Any, latent: int) -> dict[str, Steps]:
    """Name -> sampling steps (positive and negative) in several ways; the first is the plain step."""
    positive, negative = HRVPrompt.execute(clip, TEXT).args[0], nodes.CLIPTextEncode().encode(clip, "")[0]
    empty, hrv = {"samples": torch.zeros(1, 4, latent, latent)}, random_vectors(model)
    original = mean_reading(layout_of(model), downsampling_of(model))
    through_hrvs = relevance_reading(layout_of(model), [hrv.row(CONCEPT)] * 2)

    def sampled(model: Any, positive: list) -> Steps:
        return lambda steps=1: nodes.common_ksampler(model, 1, steps, 7.5, "ddim", "normal", positive, negative, empty)

    def altered(preset: str, save_memory: bool) -> Steps:
        concepts = f"{CONCEPT}, {CONCEPT}" if preset == "hrv" else ""
        settings = (WORDS, preset, concepts, "all tokens", 100.0, "", 20, True, 20, 20.0, save_memory)
        return sampled(*HRVAttendExcite.execute(model, positive, *settings, "all", hrv).args)

    def usual(reading: Reading, preset: str, every_map: bool = True) -> Steps:
        return sampled(usually_guided(model, reading, LOSSES[preset], every_map), positive)

    return {
        PLAIN: sampled(model, positive),
        ALTERED: altered("original", False),
        SAVING: altered("original", True),
        WITH_HRVS: altered("hrv", False),
        BOTH: altered("hrv", True),
        "heads by effect, a noise level": effect_level(model, clip, latent, False),
        "heads by effect, saving memory": effect_level(model, clip, latent, True),
        USUAL: usual(original, "original"),
        USUAL_HRVS: usual(through_hrvs, "hrv"),
        "usual way, self-attention fused": usual(original, "original", every_map=False),
    }


def effect_level(model: Any, clip: Any, latent: int, save_memory: bool) -> Steps:
    """One gradient of all heads: the prompt with a word and without it at one noise level."""
    concepts = ConceptSet("one", (Concept("Animals", ("cat",)),))
    samples = SampleSet(concepts, Templates.parse("all: a photo [of a {}]"))
    settings = EffectSettings(8 * latent, 8 * latent, 1, timesteps=1, integration=1, save_memory=save_memory)

    def measured(_steps: int = 1) -> None:
        build_by_effect(model, clip, samples, settings)

    return measured


def usually_guided(model: Any, reading: Reading, loss: MaxActivation, every_map: bool) -> Any:
    """A clone of MODEL whose steps are altered the usual way; every_map: the maps of self-attention are made too."""

    def explicit(kept: list) -> Callable:
        def attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, options: dict) -> torch.Tensor:
            maps = attention_map(q, k, options["n_heads"])
            kept.append(maps)
            return (maps @ split_heads(v, options["n_heads"])).transpose(1, 2).flatten(2)

        return attend

    sites = layout_of(model).sites
    blocks = [site.key for site in sites]
    weights: list[OrdinaryWeights] = []
    one_size = len(reading.sites) < len(sites)

    def averaged(kept: list[torch.Tensor], size: tuple[int, int]) -> torch.Tensor:
        mean = torch.cat([maps for maps in kept if maps.shape[2] == math.prod(size)], dim=1).float().mean(dim=1)
        return mean.transpose(1, 2).unflatten(-1, size)[None]

    def by_head(kept: list[torch.Tensor], size: tuple[int, int]) -> torch.Tensor:
        total = 0
        for site, maps in zip(sites, kept, strict=True):
            weights = torch.from_numpy(reading.weights[:, reading.layout.head_range(site.key)]).to(maps)
            side = math.isqrt(maps.shape[2])
            weighted = torch.einsum("bhpt,sh->sbtp", maps, weights).flatten(0, 1).unflatten(-1, (side, side))
            total = total + resampled(weighted.float(), size)
        return total.unflatten(0, (len(reading.weights), -1))  # type: ignore[attr-defined]

    def move(executor: Any, x: torch.Tensor, sigma: torch.Tensor, model_options: dict, seed: Any = None) -> Any:
        guider, kept = executor.class_obj, list[torch.Tensor]()
        options = comfy.model_patcher.create_model_options_clone(model_options)
        cross, own = explicit(kept), explicit([])
        options["transformer_options"]["patches_replace"] = {"attn2": dict.fromkeys(blocks, cross)} | (
            {"attn1": dict.fromkeys(blocks, own)} if every_map else {}
        )
        weights.append(weights[0] if weights else OrdinaryWeights(guider.inner_model))
        with weights[0].in_place():
            start = x.clone().requires_grad_(True)
            cond = without_inference(guider.conds["positive"][0])
            comfy.samplers.calc_cond_batch(guider.inner_model, [[cond]], start, sigma.clone(), options)
            maps = (averaged if one_size else by_head)(kept, reading.size(*x.shape[-2:]))
            (gradient,) = torch.autograd.grad(loss(maps).sum(), start)
        x.sub_(20 * (1 + sigma.max() ** 2) * gradient)
        return executor(x, sigma, model_options, seed)

    clone = model.clone()
    clone.add_wrapper_with_key(WrappersMP.PREDICT_NOISE, "usual", move)
    return clone


def diffusers_step(model: Any, clip: Any, latent: int) -> Steps:
    """One altered step of diffusers' pipeline on the same weights, which are shared and not copied."""
    from diffusers import DDIMScheduler, StableDiffusionAttendAndExcitePipeline, UNet2DConditionModel

    weights = model.model.diffusion_model.state_dict()
    first = model.model.diffusion_model.model_channels
    with torch.device("meta"):
        unet = UNet2DConditionModel(
            cross_attention_dim=weights["input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"].shape[1],
            block_out_channels=[first * factor for factor in (1, 2, 4, 4)],
        )
    places = comfy.utils.unet_to_diffusers(UNET | {"model_channels": first})
    with torch.inference_mode(False):
        names = {name: _alias(weights[places[name]]) for name in unet.state_dict()}
    unet.load_state_dict(names, assign=True)
    unet.requires_grad_(False)
    schedule = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "clip_sample": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        parts = (None, None, None, unet.eval(), DDIMScheduler(**schedule, steps_offset=1), None, None, False)
        pipeline = StableDiffusionAttendAndExcitePipeline(*parts)
    pipeline.set_progress_bar_config(disable=True)
    context = [nodes.CLIPTextEncode().encode(clip, text)[0][0][0] for text in (TEXT, "")]

    def step(_steps: int = 1) -> None:
        with torch.inference_mode(False):
            pipeline(
                prompt=None, token_indices=[2, 5], height=8 * latent, width=8 * latent, num_inference_steps=1,
                guidance_scale=7.5, prompt_embeds=context[0].clone(), negative_prompt_embeds=context[1].clone(),
                output_type="latent", max_iter_to_alter=1, thresholds={}, attn_res=(latent // 4, latent // 4),
            )  # fmt: skip

    return step


def _alias(tensor: torch.Tensor) -> torch.Tensor:
    return torch.empty(0, dtype=tensor.dtype).set_(
        tensor.untyped_storage(), tensor.storage_offset(), tensor.size(), tensor.stride()
    )
