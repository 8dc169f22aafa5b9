"""Which heads a loss reads, with what weight, and at which resolution: derived from the model and the latent's size."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from ..attention.downsampling import Downsampling
from ..attention.heads import HeadLayout, SiteKey
from ..attention.values import join_heads, split_heads

QUARTER, EIGHTH = 4, 8  # of the latent's sides: 16x16 and 8x8 at 512 pixels on SD1.x
LEAST_SIDE = 4
NEGLIGIBLE = 0.05  # of a concept's relevance, in all layers together that are left out by default
TINY = 1e-20


@dataclass(frozen=True, eq=False)
class Reading:
    """Maps as sums over heads: set s is sum over h of weights[s, h] M_h, every layer brought to one resolution.

    weights: float32 [sets heads], 0 for heads that are not read; factor: the latent's sides by those of the maps, as
    far as these have at least `least` pixels; left_out: the largest share of a set's weights in layers that are not
    read although they have some.
    """

    layout: HeadLayout
    weights: np.ndarray
    factor: int
    least: int = 1
    left_out: float = 0.0

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


def relevance_reading(layout: HeadLayout, rows: Sequence[np.ndarray], left_out: float = 0.0) -> Reading:
    """One set for each HRV row r: heads weighted r_h / H, at an eighth of the latent's sides (section 5.3).

    left_out: layers with the least relevance are not read, together at most this share of any row's; the others are
    weighted so that a row's sum of sizes stays what it was. 0 reads every layer that has any, as the paper does.
    """
    weights = np.stack(rows).astype(np.float32) / layout.total
    by_layer = np.stack([np.abs(weights[:, layout.head_range(site.key)]).sum(axis=1) for site in layout.sites], axis=1)
    shares = by_layer / np.maximum(by_layer.sum(axis=1, keepdims=True), TINY)  # [sets layers]
    order = np.argsort(shares.max(axis=0), kind="stable")
    negligible = order[(shares[:, order].cumsum(axis=1) <= left_out).all(axis=0)]
    for number in negligible:
        weights[:, layout.head_range(layout.sites[number].key)] = 0
    left = shares[:, negligible].sum(axis=1)
    weights /= (1 - left)[:, None]
    return Reading(layout, weights, EIGHTH, LEAST_SIDE, float(left.max()))


class AddedMaps(torch.autograd.Function):
    """total + sum over heads of weights[s, h] M_h; for the gradient query and key are kept, and the map is made again.

    total: float32 [batch sets pixels*tokens]; query [batch pixels heads*dim]; key [batch tokens heads*dim]; weights
    float32 [sets heads]. A loss reads nearly all columns, which compete in its softmax, so the map itself is made in
    float32, one layer at a time; indicators as values would be the identity. The gradient is for total and query alone:
    keys are made of the prompt.
    """

    @staticmethod
    def forward(ctx: Any, total: Tensor, query: Tensor, key: Tensor, weights: Tensor) -> Tensor:
        """The sum, with maps softmax(Q K^T / sqrt(d))."""
        batch, heads = len(query), weights.shape[1]
        keys = _by_head(key, heads) * (key.shape[-1] // heads) ** -0.5
        ctx.save_for_backward(query, keys, weights)
        maps = _maps(query, keys, heads).view(batch, heads, -1)
        return torch.baddbmm(total, weights.expand(batch, -1, -1), maps)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, Tensor, None, None]:
        """Through the weights, the softmax (m (g - sum m g)) and the product with the keys."""
        query, keys, weights = ctx.saved_tensors
        batch, heads = len(query), weights.shape[1]
        maps = _maps(query, keys, heads)
        through = torch.bmm(weights.T.expand(batch, -1, -1), slope).view(maps.shape).mul_(maps)
        through = through.addcmul_(maps, through.sum(dim=-1, keepdim=True), value=-1)
        of_query = torch.bmm(through, keys).view(batch, heads, query.shape[1], -1)
        return slope, join_heads(of_query).to(query.dtype), None, None


def _by_head(tensor: Tensor, heads: int) -> Tensor:
    """[batch n heads*dim] as float32 [batch*heads n dim]."""
    return split_heads(tensor.float(), heads).flatten(0, 1)


def _maps(query: Tensor, scaled: Tensor, heads: int) -> Tensor:
    """[batch*heads pixels tokens] of a query [batch pixels heads*dim] and keys by head times 1 / sqrt(d)."""
    return torch.softmax(torch.bmm(_by_head(query, heads), scaled.transpose(1, 2)), dim=-1)


def resampled(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Maps [images channels height width] at another size, bicubic; larger ones are blurred first.

    A map f times the size is blurred by a kernel of f + 1 pixels, deviation 0.3 (f / 2 - 1) + 0.8. Both are linear in
    rows and in columns, so they are a product A M B^T, whose gradient has the same bits every time on a GPU too.
    """
    height, width = maps.shape[-2:]
    if (height, width) == size:
        return maps
    factor = 2 ** round(math.log2(height / size[0]))
    down, across = (
        _resampling(side, new, factor, maps.dtype, maps.device) for side, new in ((height, size[0]), (width, size[1]))
    )
    return down @ maps @ across.T


@lru_cache(maxsize=32)
def _resampling(side: int, new: int, factor: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """[new side]: blurs by `factor` if that is more than 1, then resamples a line."""
    with torch.inference_mode(False), torch.no_grad():
        lines = torch.eye(side, dtype=dtype)[None, None]
        if factor > 1:
            kernel = _line(factor + 1, 0.3 * (factor / 2 - 1) + 0.8).to(dtype)
            padded = functional.pad(lines, [0, 0, factor // 2, factor // 2], mode="reflect")
            lines = functional.conv2d(padded, kernel.view(1, 1, -1, 1))
        return bicubic(lines, (new, side))[0, 0].to(device)


def bicubic(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Maps [images channels height width] at another size."""
    return functional.interpolate(maps, size=size, mode="bicubic", align_corners=False)


def blurred(maps: Tensor, size: int, deviation: float) -> Tensor:
    """Gaussian blur of [images channels height width] by an odd kernel, edges mirrored without repeating them."""
    kernel = _line(size, deviation).to(maps)
    padded = functional.pad(maps, [size // 2] * 4, mode="reflect").flatten(0, 1)[:, None]
    down = functional.conv2d(padded, kernel.view(1, 1, -1, 1))
    return functional.conv2d(down, kernel.view(1, 1, 1, -1))[:, 0].unflatten(0, maps.shape[:2])


def _line(size: int, deviation: float) -> Tensor:
    """A Gaussian over `size` pixels, with sum 1."""
    line = torch.exp(-((torch.arange(size) - size // 2) ** 2) / (2 * deviation**2))
    return line / line.sum()
