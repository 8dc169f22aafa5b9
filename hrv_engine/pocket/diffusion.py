"""Stable Diffusion's noise schedule, the lossless latent, and a DDIM sampler for the pocket model."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

STEPS = 1000
PATCH = 4
LATENT_CHANNELS = 3 * PATCH * PATCH


def alphas_cumprod() -> Tensor:
    """ᾱ [1000] of the scaled-linear schedule, β from .00085 to .012."""
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, STEPS, dtype=torch.float64) ** 2
    return (1 - betas).cumprod(0).float()


def to_latent(images: Tensor) -> Tensor:
    """Images [B, 3, 32, 32] in 0..1 to latents [B, 48, 8, 8] in −1..1; exact."""
    return F.pixel_unshuffle(images * 2 - 1, PATCH)


def to_images(latents: Tensor) -> Tensor:
    """Latents [B, 48, 8, 8] to images [B, 3, 32, 32] clamped to 0..1."""
    return ((F.pixel_shuffle(latents, PATCH) + 1) / 2).clamp(0, 1)


@torch.no_grad()
def ddim(denoise: Callable[[Tensor, Tensor], Tensor], noise: Tensor, steps: int = 20) -> Tensor:
    """Deterministic DDIM from noise [B, 48, 8, 8]; `denoise(x, timesteps [B])` returns the predicted x0."""
    alphas = alphas_cumprod().to(noise)
    times = torch.linspace(STEPS - 1, 0, steps + 1)[:-1].round().long()
    x = noise
    for index, time in enumerate(times):
        now = alphas[time]
        later = alphas[times[index + 1]] if index + 1 < steps else torch.ones_like(now)
        clean = denoise(x, time.expand(x.shape[0]))
        residual = (x - now.sqrt() * clean) / (1 - now).sqrt()
        x = later.sqrt() * clean + (1 - later).sqrt() * residual
    return x
