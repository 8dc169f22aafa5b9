"""Which heads a loss reads, with what weight, and at which resolution: derived from the model and the latent's size."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..attention.downsampling import Downsampling
from ..attention.heads import HeadLayout, SiteKey
from ..attention.values import attention_map

QUARTER, EIGHTH = 4, 8  # of the latent's sides: 16x16 and 8x8 at 512 pixels on SD1.x
LEAST_SIDE = 4


@dataclass(frozen=True, eq=False)
class Reading:
    """Maps as sums over heads: set s is sum over h of weights[s, h] M_h, every layer brought to one resolution.

    weights: float32 [sets heads], 0 for heads that are not read; factor: the latent's sides by those of the maps, as
    far as these have at least `least` pixels.
    """

    layout: HeadLayout
    weights: np.ndarray
    factor: int
    least: int = 1

    @property
    def sites(self) -> list[SiteKey]:
        """The layers with a weight other than 0, in execution order; the model may stop after the last."""
        sites = self.layout.sites
        return [site.key for site in sites if self.weights[:, self.layout.head_range(site.key)].any()]

    def size(self, height: int, width: int) -> tuple[int, int]:
        """(height, width) of the maps for a latent of that size; odd sides are rounded up, as the model does."""
        factor = self.factor
        while factor > 1 and min(-(-height // 2), -(-width // 2)) >= self.least:
            height, width, factor = -(-height // 2), -(-width // 2), factor // 2
        return height, width


def mean_reading(layout: HeadLayout, downsampling: Downsampling) -> Reading:
    """The plain mean over the layers at a quarter of the latent's sides, as Attend-and-Excite and SynGen read.

    A model without such layers is read at its next finer ones.
    """
    factors = downsampling.values()
    factor = max((factor for factor in factors if factor <= QUARTER), default=min(factors))
    weights: np.ndarray = np.zeros((1, layout.total), np.float32)
    for site in layout.sites:
        if downsampling[site.key] == factor:
            weights[:, layout.head_range(site.key)] = 1
    return Reading(layout, weights / weights.sum(), factor)


def relevance_reading(layout: HeadLayout, rows: Sequence[np.ndarray]) -> Reading:
    """One set for each HRV row r: all heads, weighted r_h / H, at an eighth of the latent's sides (section 5.3)."""
    return Reading(layout, np.stack(rows).astype(np.float32) / layout.total, EIGHTH, LEAST_SIDE)


def weighted_maps(query: Tensor, key: Tensor, weights: Tensor) -> Tensor:
    """sum over heads of weights[s, h] M_h, float32 [sets batch tokens pixels], of projected q, k [batch n heads*dim].

    weights: [sets heads]. A loss reads nearly all columns, which compete in its softmax, so the map itself is made, one
    layer at a time; indicators as values would be the identity.
    """
    maps = attention_map(query.float(), key.float(), weights.shape[1])  # [batch heads pixels tokens]
    return torch.einsum("bhpt,sh->sbtp", maps, weights)


def resampled(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Maps [images channels height width] at another size, bicubic; larger ones are blurred first.

    A map f times the size is blurred by a kernel of f + 1 pixels, deviation 0.3 (f / 2 - 1) + 0.8.
    """
    if tuple(maps.shape[-2:]) == size:
        return maps
    factor = 2 ** round(math.log2(maps.shape[-2] / size[0]))
    if factor > 1:
        maps = blurred(maps, factor + 1, 0.3 * (factor / 2 - 1) + 0.8)
    return bicubic_product(maps, size) if maps.is_cuda else bicubic(maps, size)


def bicubic(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Maps [images channels height width] at another size."""
    return functional.interpolate(maps, size=size, mode="bicubic", align_corners=False)


def bicubic_product(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """`bicubic` as a product A M B^T with one matrix a side: its gradient has the same bits every time on a GPU too."""
    down, across = (
        bicubic(torch.eye(side, device=maps.device, dtype=maps.dtype)[None, None], (new, side))[0, 0]
        for side, new in zip(maps.shape[-2:], size, strict=True)
    )
    return down @ maps @ across.T


def blurred(maps: Tensor, size: int, deviation: float) -> Tensor:
    """Gaussian blur of [images channels height width] by an odd kernel, edges mirrored without repeating them."""
    line = torch.exp(-((torch.arange(size) - size // 2) ** 2) / (2 * deviation**2))
    kernel = (line / line.sum()).to(maps)
    padded = functional.pad(maps, [size // 2] * 4, mode="reflect").flatten(0, 1)[:, None]
    down = functional.conv2d(padded, kernel.view(1, 1, -1, 1))
    return functional.conv2d(down, kernel.view(1, 1, 1, -1))[:, 0].unflatten(0, maps.shape[:2])
