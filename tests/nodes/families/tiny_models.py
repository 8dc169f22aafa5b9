"""Tiny random MODELs of the host's own transformer classes, one a family, and what a test must know of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import comfy.model_management
import comfy.model_patcher
import comfy.sample
import comfy.supported_models
import torch
from comfy.nested_tensor import NestedTensor

from ..tiny import randomise
from . import tiny_configs as configs


@dataclass(frozen=True)
class Tiny:
    """A family's tiny model.

    kind: the host's configuration. channels: of the text. latent: its shape for one image, and sound: that of a second
    latent. sites: how many there are. joint: whether text and image are in one attention. image: how many tokens it
    has, and pads after it. first: tokens before the prompt's, and between: those from the prompt to the image.
    image_first: whether the image comes before. padded: where a prompt of so many tokens begins in its context, and how
    long that is. inside: how many tokens of attention a context makes. prepared: the context as the model makes it
    before sampling. extra: what else a conditioning carries. grid: frames, height and width of the maps. optionless:
    the host's module whose attention asks no override. prepare: sets what the host leaves to a checkpoint.
    """

    kind: str
    config: dict[str, Any]
    channels: int
    latent: tuple[int, ...]
    sites: int
    image: int
    joint: bool = True
    pads: int = 0
    first: int = 0
    image_first: bool = False
    padded: Callable[[int], tuple[int, int]] = lambda tokens: (0, tokens)
    inside: Callable[[int], int] = lambda tokens: tokens
    prepared: Callable[[Any, torch.Tensor], torch.Tensor] = lambda module, context: context
    between: int = 0
    sound: tuple[int, ...] = ()
    extra: dict[str, Any] = field(default_factory=dict)
    grid: tuple[int, int, int] = (1, 4, 4)
    optionless: str = ""
    prepare: Callable[[Any], None] = lambda module: None

    def model(self, seed: int = 3) -> Any:
        """A fresh MODEL with random weights."""
        config = getattr(comfy.supported_models, self.kind)({**self.config})
        config.unet_config.update(self.config)  # over what the host sets for the only size it knows
        config.set_inference_dtype(torch.float32, None)
        device = comfy.model_management.get_torch_device()
        base = config.get_model({}, "", device=device)
        randomise(base.diffusion_model, seed)
        self.prepare(base.diffusion_model)
        return comfy.model_patcher.ModelPatcher(base, load_device=device, offload_device=device)

    def prompt(self, tokens: int, seed: int) -> torch.Tensor:
        """A context of random embeddings [1 tokens channels]."""
        return torch.randn(1, tokens, self.channels, generator=torch.Generator().manual_seed(seed))

    def conditioning(self, context: torch.Tensor, **more: Any) -> list:
        """What a text encoder's node would give for it."""
        given = {name: value(context) if callable(value) else value for name, value in self.extra.items()}
        return [[context, {**given, **more}]]

    def sample(self, model: Any, positive: list, negative: list, batch: int = 1, steps: int = 2) -> torch.Tensor:
        """Latents of the host's own sampling with CFG."""
        shapes = [shape for shape in (self.latent, self.sound) if shape]
        generator = torch.Generator().manual_seed(5)
        noise: Any = [torch.randn(batch, *shape, generator=generator) for shape in shapes]
        latent: Any = [torch.zeros_like(part) for part in noise]
        noise, latent = (NestedTensor(parts) if self.sound else parts[0] for parts in (noise, latent))
        drawn = comfy.sample.sample(
            model, noise, steps, 4.0, "euler", "simple", positive, negative, latent, seed=5, disable_pbar=True
        )
        return torch.cat([part.flatten() for part in drawn.unbind()]) if self.sound else drawn


POOLED = {"pooled_output": torch.ones(1, 16)}


def fill_positions(module: Any) -> None:
    """The host leaves SD3's table of positions to the checkpoint."""
    module.pos_embed.normal_(generator=torch.Generator().manual_seed(1))


def fill_rotations(module: Any) -> None:
    """The host leaves MiniMax's frequencies to the checkpoint."""
    module.rope.inv_freq.copy_(10000 ** -(torch.arange(16) / 16))


def fives(tokens: int) -> int:
    """A number of tokens padded to a multiple of five."""
    return -(-tokens // 5) * 5


def seen(context: torch.Tensor) -> Any:
    """What CLIP sees in a start image, of 5 tokens."""
    return SimpleNamespace(penultimate_hidden_states=torch.ones(1, 5, 1280), last_hidden_state=torch.ones(1, 3, 20))


def mask(context: torch.Tensor) -> torch.Tensor:
    return torch.ones(context.shape[:2], dtype=torch.long)


IMAGE, FRAMES = (16, 8, 8), (16, 2, 8, 8)
TINY: dict[str, Tiny] = {
    "Flux.1": Tiny("Flux", configs.FLUX_1, 24, IMAGE, 4, 16, extra=POOLED),
    "Flux.2": Tiny("Flux2", configs.FLUX_2, 24, (128, 4, 4), 3, 16, padded=lambda tokens: (512 - tokens, 512)),
    "Chroma": Tiny("Chroma", configs.CHROMA, 24, IMAGE, 4, 16),
    "Z-Image": Tiny("ZImage", configs.Z_IMAGE, 24, IMAGE, 2, 16, pads=4, inside=fives),
    "Lumina 2": Tiny("Lumina2", configs.LUMINA_2, 24, IMAGE, 2, 16),
    "Qwen-Image": Tiny("QwenImage", configs.QWEN, 24, (16, 1, 8, 8), 2, 16),
    "Mage-Flow": Tiny("MageFlow", configs.MAGE, 24, (128, 4, 4), 2, 16),
    "SD3": Tiny("SD3", configs.SD3, 24, IMAGE, 3, 16, first=2, extra=POOLED, prepare=fill_positions),
    "AuraFlow": Tiny("AuraFlow", configs.AURA, 24, (4, 8, 8), 2, 16, first=8),
    "Wan": Tiny("WAN21_T2V", configs.WAN, 24, FRAMES, 2, 32, joint=False, grid=(2, 4, 4)),
    "Wan i2v": Tiny(
        "WAN21_I2V", configs.WAN | {"model_type": "i2v", "in_dim": 36}, 24, FRAMES, 2, 32, joint=False, grid=(2, 4, 4),
        extra={"clip_vision_output": seen},
    ),
    "Cosmos-Predict2": Tiny(
        "CosmosT2IPredict2", configs.COSMOS | {"image_model": "cosmos_predict2", "min_fps": 1, "max_fps": 30}, 24,
        (16, 1, 8, 8), 2, 16, joint=False,
    ),
    "Cosmos": Tiny("CosmosT2V", configs.COSMOS_1, 24, FRAMES, 2, 32, joint=False, grid=(2, 4, 4)),
    "LTX": Tiny(
        "LTXV", configs.LTX, 24, (128, 2, 4, 4), 2, 32, joint=False, grid=(2, 4, 4), extra={"attention_mask": mask}
    ),
    "LTX-2": Tiny(
        "LTXAV", configs.LTX_2, 24, (128, 2, 4, 4), 2, 32, joint=False, grid=(2, 4, 4), sound=(8, 5, 16),
        padded=lambda tokens: (0, 1024),
        prepared=lambda module, context: module.preprocess_text_embeds(context),
    ),
    "MiniMax H3": Tiny(
        "MiniMaxH3", configs.MINIMAX, 24, (24, 2, 4, 4), 2, 8, between=10, grid=(2, 2, 2), sound=(32, 2, 5),
        prepared=lambda module, context: module.preprocess_text_embeds(context), prepare=fill_rotations,
    ),
    "Kandinsky 5": Tiny("Kandinsky5Image", configs.KANDINSKY, 24, IMAGE, 2, 16, joint=False, extra=POOLED),
    "HunyuanVideo": Tiny("HunyuanVideo", configs.HUNYUAN, 24, FRAMES, 4, 32, extra=POOLED, grid=(2, 4, 4)),
    "HunyuanVideo 1.5": Tiny(
        "HunyuanVideo15", configs.HUNYUAN_15, 24, (32, 2, 8, 8), 4, 32, first=6 + 3, grid=(2, 4, 4),
        extra={"conditioning_byt5small": torch.ones(1, 6, 1472), "clip_vision_output": seen, "pooled_output": None},
    ),
    "Krea 2": Tiny("Krea2", configs.KREA, 96, (16, 1, 8, 8), 2, 16),
    "Ernie-Image": Tiny(
        "ErnieImage", configs.ERNIE, 24, (128, 4, 4), 2, 16, image_first=True, optionless="comfy.ldm.ernie.model"
    ),
    "PixArt": Tiny(
        "PixArtSigma", configs.PIXART, 24, (4, 4, 64), 2, 64, joint=False, grid=(1, 2, 32),
        optionless="comfy.ldm.pixart.blocks",
    ),
    "HunyuanDiT": Tiny(
        "HunyuanDiT1", configs.HYDIT, 24, (4, 8, 8), 4, 16, joint=False, inside=lambda tokens: tokens + 5,
        optionless="comfy.ldm.hydit.attn_layers",
        extra={
            "conditioning_mt5xl": torch.ones(1, 5, 32), "attention_mask_mt5xl": torch.ones(1, 5), "attention_mask": mask
        },
    ),
    "Ideogram 4": Tiny("Ideogram4", configs.IDEOGRAM, 24, (128, 4, 4), 2, 16),
    "Lens": Tiny("Lens", configs.LENS, 24, (128, 4, 4), 2, 16, image_first=True),
    "JoyImage": Tiny("JoyImage", configs.JOY, 24, (16, 1, 8, 8), 2, 16, image_first=True),
    "OmniGen2": Tiny("Omnigen2", configs.OMNIGEN, 24, IMAGE, 2, 16, extra={"attention_mask": mask}),
    "Boogu": Tiny("Boogu", configs.BOOGU, 24, IMAGE, 2, 16, extra={"attention_mask": mask}),
    "CogVideoX": Tiny("CogVideoX_T2V", configs.COGVIDEO, 24, FRAMES, 2, 32, grid=(2, 4, 4)),
    "PixelDiT": Tiny("PixelDiTT2I", configs.PIXELDIT, 24, (3, 16, 16), 2, 16),
    "Mochi": Tiny(
        "GenmoMochi", configs.MOCHI, 24, (12, 2, 8, 8), 2, 32, image_first=True, grid=(2, 4, 4),
        extra={"attention_mask": mask},
    ),
    "HiDream": Tiny(
        "HiDream", configs.HIDREAM, 24, IMAGE, 2, 16, image_first=True, inside=lambda tokens: tokens + 2 * 6,
        extra={**POOLED, "conditioning_llama3": torch.ones(1, 2, 6, 32)},
    ),
}  # fmt: skip
