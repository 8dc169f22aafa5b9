"""A step altered by Attend-and-Excite, beside the same step written the usual way and diffusers' own.

The usual way is that of the published code: every attention map of every layer is made and kept, the UNet runs to its
end, and the maps of one size are picked out afterwards.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import comfy.samplers
import comfy.utils
import torch
from comfy.patcher_extension import WrappersMP

import nodes
from comfyui_hrv.hrv_engine.attention.values import attention_map, split_heads
from comfyui_hrv.hrv_engine.guidance.losses import MaxActivation
from comfyui_hrv.hrv_engine.relevance.build_settings import EffectSettings
from comfyui_hrv.hrv_engine.relevance.concepts import Concept, ConceptSet
from comfyui_hrv.hrv_engine.relevance.samples import SampleSet, Templates
from comfyui_hrv.nodes.guidance.attend_excite import HRVAttendExcite
from comfyui_hrv.nodes.host.build_effect import build_by_effect
from comfyui_hrv.nodes.host.gradients import differentiable, without_inference
from comfyui_hrv.nodes.host.unet import layout_of
from comfyui_hrv.nodes.prompt import HRVPrompt
from comfyui_hrv.tools.random_checkpoint import UNET

from .full_size import random_vectors
from .measure import Step

TEXT, WORDS, COLUMNS = "a cat and a dog", "cat, dog", ((2,), (5,))
PLAIN, ALTERED, USUAL, DIFFUSERS = "plain", "altered", "usual way", "diffusers' pipeline"
SAMPLER = (1, 1, 7.5, "ddim", "ddim_uniform")


def guided_steps(model: Any, clip: Any, latent: int) -> dict[str, Step]:
    """Name -> one sampling step (positive and negative) in several ways; the first is the plain step."""
    positive, negative = HRVPrompt.execute(clip, TEXT).args[0], nodes.CLIPTextEncode().encode(clip, "")[0]
    empty = {"samples": torch.zeros(1, 4, latent, latent)}

    def sampled(model: Any, positive: list) -> Step:
        return lambda: nodes.common_ksampler(model, *SAMPLER, positive, negative, empty)

    def altered(preset: str, save_memory: bool) -> Step:
        concepts = "Animals, Animals" if preset == "hrv" else ""
        settings = (WORDS, preset, concepts, "all tokens", 100.0, "", 20, True, 1, 20.0, save_memory)
        return sampled(*HRVAttendExcite.execute(model, positive, *settings, hrv=random_vectors(model)).args)

    return {
        PLAIN: sampled(model, positive),
        ALTERED: altered("original", False),
        "altered, saving memory": altered("original", True),
        "altered with HRVs": altered("hrv", False),
        "altered with HRVs, saving memory": altered("hrv", True),
        "heads by effect, a noise level": effect_level(model, clip, latent, False),
        "heads by effect, saving memory": effect_level(model, clip, latent, True),
        USUAL: sampled(usually_guided(model, latent, every_map=True), positive),
        "usual way, self-attention fused": sampled(usually_guided(model, latent, every_map=False), positive),
    }


def effect_level(model: Any, clip: Any, latent: int, save_memory: bool) -> Step:
    """One gradient of all heads: the prompt with a word and without it at one noise level."""
    concepts = ConceptSet("one", (Concept("Animals", ("cat",)),))
    samples = SampleSet(concepts, Templates.parse("all: a photo [of a {}]"))
    settings = EffectSettings(8 * latent, 8 * latent, 1, timesteps=1, integration=1, save_memory=save_memory)

    def measured() -> None:
        build_by_effect(model, clip, samples, settings)

    return measured


def usually_guided(model: Any, latent: int, every_map: bool) -> Any:
    """A clone of MODEL whose step is altered the usual way; every_map: the maps of self-attention are made too."""

    def explicit(kept: list) -> Callable:
        def attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, options: dict) -> torch.Tensor:
            maps = attention_map(q, k, options["n_heads"])
            kept.append(maps)
            return (maps @ split_heads(v, options["n_heads"])).transpose(1, 2).flatten(2)

        return attend

    def move(executor: Any, x: torch.Tensor, sigma: torch.Tensor, model_options: dict, seed: Any = None) -> Any:
        guider, kept = executor.class_obj, list[torch.Tensor]()
        options = comfy.model_patcher.create_model_options_clone(model_options)
        blocks = [site.key for site in layout_of(model).sites]
        cross, own = explicit(kept), explicit([])
        options["transformer_options"]["patches_replace"] = {"attn2": dict.fromkeys(blocks, cross)} | (
            {"attn1": dict.fromkeys(blocks, own)} if every_map else {}
        )
        with differentiable(guider.inner_model):
            start = x.clone().requires_grad_(True)
            cond = without_inference(guider.conds["positive"][0])
            comfy.samplers.calc_cond_batch(guider.inner_model, [[cond]], start, sigma.clone(), options)
            side = latent // 4
            mean = torch.cat([maps for maps in kept if maps.shape[2] == side**2], dim=1).float().mean(dim=1)
            maps = mean.transpose(1, 2).unflatten(-1, (side, side))[None]
            (gradient,) = torch.autograd.grad(MaxActivation(COLUMNS)(maps).sum(), start)
        x.sub_(20 * (1 + sigma.max() ** 2) * gradient)
        return executor(x, sigma, model_options, seed)

    clone = model.clone()
    clone.add_wrapper_with_key(WrappersMP.PREDICT_NOISE, "usual", move)
    return clone


def diffusers_step(model: Any, clip: Any, latent: int) -> Step:
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

    def step() -> None:
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
