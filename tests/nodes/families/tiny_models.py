"""Tiny random MODELs of the host's own transformer classes, one a family, and what a test must know of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import comfy.model_management
import comfy.model_patcher
import comfy.sample
import comfy.supported_models
import torch

from ..tiny import randomise


@dataclass(frozen=True)
class Tiny:
    """A family's tiny model.

    kind: the host's configuration; channels: of the text; latent: its shape for one image; sites: how many there are;
    joint: whether text and image are in one attention; image: how many tokens it has, and pads after it.
    first: tokens before the prompt's; leading: keys of a padded context before the prompt's, given its length.
    image_first: whether the image comes before the prompt; beside: tokens of text that are not the prompt's context.
    refiners: attention calls that must stay untouched, a model call; extra: what else a conditioning carries.
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
    extra: dict[str, Any] = field(default_factory=dict)
    grid: tuple[int, int, int] = (1, 4, 4)
    prepare: Callable[[Any], None] = lambda module: None

    def model(self, seed: int = 3) -> Any:
        """A fresh MODEL with random weights."""
        config = getattr(comfy.supported_models, self.kind)({**self.config})
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
        latent = torch.zeros(batch, *self.latent)
        noise = torch.randn(latent.shape, generator=torch.Generator().manual_seed(5))
        return comfy.sample.sample(
            model, noise, steps, 4.0, "euler", "simple", positive, negative, latent, seed=5, disable_pbar=True
        )


FLUX = {
    "in_channels": 4, "out_channels": 4, "vec_in_dim": 16, "context_in_dim": 24, "hidden_size": 64, "mlp_ratio": 2.0,
    "num_heads": 4, "depth": 2, "depth_single_blocks": 2, "axes_dim": [4, 6, 6], "theta": 10000, "patch_size": 2,
    "qkv_bias": True, "guidance_embed": True, "txt_ids_dims": [],
}  # fmt: skip
POOLED = {"pooled_output": torch.ones(1, 16)}

TINY: dict[str, Tiny] = {
    "Flux.1": Tiny("Flux", {"image_model": "flux", **FLUX, "in_channels": 16, "out_channels": 16}, 24, (16, 8, 8), 4, 16, extra=POOLED),
    "Flux.2": Tiny(
        "Flux2",
        {
            "image_model": "flux2", **FLUX, "in_channels": 128, "out_channels": 128, "vec_in_dim": None, "depth": 1, "axes_dim": [4, 4, 4, 4], "theta": 2000,
            "patch_size": 1, "qkv_bias": False, "guidance_embed": False, "txt_ids_dims": [3], "global_modulation": True,
            "mlp_silu_act": True, "ops_bias": False, "default_ref_method": "index",
        },
        24, (128, 4, 4), 3, 16, padded=lambda tokens: (512 - tokens, 512),
    ),
    "Chroma": Tiny(
        "Chroma",
        {
            "image_model": "chroma", **{key: value for key, value in FLUX.items() if key != "guidance_embed"}, "in_channels": 64, "out_channels": 16, "in_dim": 64, "out_dim": 64, "hidden_dim": 32, "n_layers": 1,
            "vec_in_dim": None,
        },
        24, (16, 8, 8), 4, 16,
    ),
}  # fmt: skip
