"""Local blend: the target may differ from the source only where pixels attend to the blend words (P2P)."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ..attention.downsampling import Downsampling, small_maps
from ..attention.heads import SiteKey


@dataclass(frozen=True)
class LocalBlend:
    """columns: of the blend words in each prompt, source first; sites: the layers whose maps are read.

    threshold: the part of a map's peak above which a place may change; start: the fraction of the run before which
    everything may.
    """

    columns: tuple[tuple[int, ...], ...]
    sites: frozenset[SiteKey]
    threshold: float = 0.3
    start: float = 0.2


def blend_blocks(downsampling: Downsampling) -> frozenset[SiteKey]:
    """The layers at the encoder's coarsest level of attention: 16x16 at 512 px on SD1.x, without the middle's 8x8."""
    small = small_maps(downsampling, "auto")
    least = min(downsampling[block] for block in small)
    return frozenset(block for block in small if downsampling[block] == least)


def blend_mask(maps: Tensor, prompts: int, size: tuple[int, int], threshold: float) -> Tensor:
    """Where each row may differ from its source: bool [rows 1 height width] of `size`, the source's place or its own.

    maps: [rows h w], rows in turn source, target, ... of `prompts` prompts; each is pooled 3x3, enlarged, divided by
    its peak and cut.
    """
    pooled = functional.max_pool2d(maps[:, None].float(), 3, stride=1, padding=1)
    large = functional.interpolate(pooled, size=size)
    peak = large.amax(dim=(-2, -1), keepdim=True)
    near = (large / torch.where(peak > 0, peak, torch.ones_like(peak))) > threshold
    images = near.unflatten(0, (-1, prompts))
    return (images | images[:, :1]).flatten(0, 1)


def blended(latents: Tensor, mask: Tensor, prompts: int) -> Tensor:
    """z_t := z_s + mask (z_t - z_s) for every target row of latents [rows channels height width]."""
    images = latents.unflatten(0, (-1, prompts))
    return torch.where(mask.unflatten(0, (-1, prompts)), images, images[:, :1]).flatten(0, 1)
