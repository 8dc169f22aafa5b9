"""Stable Diffusion 1.5 in full size with random weights, and one sampling step of it in several ways."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import comfy.model_management
import comfy.model_patcher
import comfy.sd
import comfy.sd1_clip
import comfy.supported_models
import comfy.supported_models_base
import numpy as np
import torch

import nodes
from comfyui_hrv.hrv_engine.relevance.concepts import ConceptSet
from comfyui_hrv.hrv_engine.relevance.relevance import HeadRelevance
from comfyui_hrv.hrv_engine.relevance.voting import WordSampler
from comfyui_hrv.hrv_engine.text.alignment import TokenTable
from comfyui_hrv.hrv_engine.weakening.orders import weaken
from comfyui_hrv.nodes.host.capture import TokenMapRecorder
from comfyui_hrv.nodes.host.conditioning import KEY
from comfyui_hrv.nodes.host.recording import VoteRecorder
from comfyui_hrv.nodes.host.sweep import Sampling, sweep
from comfyui_hrv.nodes.host.unet import layout_of
from comfyui_hrv.nodes.host.words import word_bank
from comfyui_hrv.nodes.prompt import HRVPrompt
from comfyui_hrv.nodes.steering.adjust import HRVConceptAdjust
from comfyui_hrv.nodes.steering.prompt_weights import HRVPromptWeights
from comfyui_hrv.tests.nodes.explicit import with_explicit_maps
from comfyui_hrv.tools.random_checkpoint import UNET

PAPER34 = Path(__file__).parents[2] / "hrv_presets" / "concepts" / "paper34.yaml"
PROMPT, WORD = "a vase in lavender color", "lavender"
Steps = Callable[..., Any]  # (steps = 1)


def sd15(dtype: torch.dtype | None = None, **smaller: Any) -> tuple[Any, Any]:
    """MODEL and CLIP: the UNet of SD1.5 (`smaller` overrides its config) and a one-layer text encoder of its width."""
    unet = UNET | smaller
    encoder = {"hidden_size": unet["context_dim"], "num_hidden_layers": 1, "num_attention_heads": 8}
    encoder |= {"intermediate_size": 64, "projection_dim": 64}
    classes = comfy.sd1_clip.SD1Tokenizer, comfy.sd1_clip.SD1ClipModel
    return with_text_encoder(comfy.supported_models.SD15(unet), *classes, {"clip_l_model_config": encoder}, dtype)


def with_text_encoder(
    config: Any, tokenizer: type, encoder: type, sizes: dict[str, Any], dtype: torch.dtype | None = None
) -> tuple[Any, Any]:
    """MODEL and CLIP of a host's model configuration, with random weights; dtype: None for float16 if on a GPU."""
    device = comfy.model_management.get_torch_device()
    config.set_inference_dtype(dtype or (torch.float32 if device.type == "cpu" else torch.float16), None)
    base = config.get_model({}, "", device=device)
    model = comfy.model_patcher.CoreModelPatcher(base, load_device=device, offload_device=device)
    target = comfy.supported_models_base.ClipTarget(tokenizer, encoder)
    clip = comfy.sd.CLIP(target, model_options=sizes, state_dict=[])
    for seed, module in enumerate((base.diffusion_model, clip.cond_stage_model)):
        _randomise(module, seed)
    return model, clip


def _randomise(module: torch.nn.Module, seed: int) -> None:
    """Weights N(0, 1/fan-in), norms 1, biases 0: activations of the size a trained model has."""
    for name, parameter in module.named_parameters():
        generator = torch.Generator(parameter.device).manual_seed(seed)
        if parameter.ndim > 1:
            parameter.data.normal_(0, parameter[0].numel() ** -0.5, generator=generator)
        else:
            parameter.data.fill_(0.0 if name.endswith("bias") else 1.0)


def random_vectors(model: Any) -> HeadRelevance:
    """Vectors of the paper's 34 concepts for a model, without meaning."""
    layout, concepts = layout_of(model), ConceptSet.load(PAPER34)
    relevance = np.random.default_rng(0).random((len(concepts.names), layout.total)) ** 4
    relevance *= layout.total / relevance.sum(axis=1, keepdims=True)
    return HeadRelevance(relevance.astype(np.float32), concepts, layout)


def sweeps(model: Any, clip: Any, latent: int, images: int = 4) -> dict[str, Steps]:
    """Name -> steps of several images in one batch: plain, and weakened by another number of heads each."""
    positive, negative = HRVPrompt.execute(clip, PROMPT).args[0], nodes.CLIPTextEncode().encode(clip, "")[0]
    hrv = random_vectors(model)
    factors = np.stack([weaken(hrv, "Color", "MoRHF", heads) for heads in range(1, 10 * images, 10)])
    one = {"samples": torch.zeros(1, 4, latent, latent)}
    batch = {"samples": torch.zeros(images, 4, latent, latent)}

    def plain(steps: int = 1) -> None:
        nodes.common_ksampler(model, 1, steps, 7.5, "euler", "normal", positive, negative, batch)

    def weakened(steps: int = 1) -> None:
        sampling = Sampling(1, steps, 7.5, "euler", "normal")
        sweep(model, positive, negative, one, all_columns, factors, sampling, images)

    return {"plain": plain, "weakening sweep": weakened}


def all_columns(table: TokenTable) -> tuple[int, ...]:
    """The columns of all semantic tokens."""
    return table.columns


def steps(model: Any, clip: Any, latent: int, images: int = 1) -> dict[str, Steps]:
    """Name -> steps of the stock KSampler (positive and negative in one batch) on a latent of this side length.

    The first is the plain step that the others are compared with.
    """
    positive, negative = HRVPrompt.execute(clip, PROMPT).args[0], nodes.CLIPTextEncode().encode(clip, "")[0]
    hrv = random_vectors(model)
    layout, concepts = hrv.layout, hrv.concepts
    settings = {"desired_weight": 2.0, "undesired_weight": 1.0, "strength": 1.0, "occurrence": 0, "clamp": 0.0}
    settings |= {"start_percent": 0.0, "end_percent": 1.0}
    steered, marked = HRVConceptAdjust.execute(model, positive, hrv, WORD, "Color", "Plants", **settings).args
    columns = positive[0][1][KEY].table.columns_of(WORD)
    r = torch.from_numpy(2 * hrv.row("Color") - hrv.row("Plants"))
    r = r.to(comfy.model_management.get_torch_device())
    bank = word_bank(clip, concepts)

    weighted, weights, _ = HRVPromptWeights.execute(
        model, clip, PROMPT.replace(WORD, f"({WORD}:2)"), 1.0, 2.0, 0.0, 1.0
    ).args

    def step(model: Any, positive: list) -> Steps:
        empty = {"samples": torch.zeros(images, 4, latent, latent)}
        return lambda steps=1: nodes.common_ksampler(model, 1, steps, 7.5, "euler", "normal", positive, negative, empty)

    def voting(**options: Any) -> Steps:
        recorder = VoteRecorder(WordSampler(bank, seed=0, **options), layout, steps=None)
        drawn = step(recorder.attach(model), positive)

        def vote(steps: int = 1) -> None:
            recorder.begin(list(range(images)))
            drawn(steps)
            votes = int(recorder.take().sum())
            assert votes and votes % (layout.total * recorder.sampler.draws * images) == 0

        return vote

    def token_maps(steps: int = 1) -> None:
        recorder = TokenMapRecorder(model, positive, PROMPT.split(), 0.0, 1.0)
        step(recorder.attach(model), positive)(steps)
        assert len(recorder.take().layers) == len(layout.sites)

    return {
        "plain": step(model, positive),
        "steering": step(steered, marked),
        "prompt weights": step(weighted, weights),
        "voting": voting(),
        "voting, 4 draws": voting(draws=4),
        "token maps of 5 words": token_maps,
        "explicit maps": step(with_explicit_maps(model, layout, r, columns), positive),
    }
