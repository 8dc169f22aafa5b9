"""Styles of a whole image: each takes the images that have it, [n, 3, 64, 64] in 0..1, and the :class:`Layers` below.

"flat" and "cartoon" are no filters: their things are drawn in another hand (`bank.SHEETS`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .effects import grid, tint
from .paints import LUMA


class Layers(NamedTuple):
    """What the images were made of: the background alone [n, 3, 64, 64] and how much of it things cover [n, 1, ...]."""

    background: Tensor
    cover: Tensor


def luminance(image: Tensor) -> Tensor:
    """Brightness [n, 1, 64, 64]."""
    return (image * tint(image, *LUMA)).sum(1, keepdim=True)


def edges(image: Tensor) -> Tensor:
    """Sum of the absolute brightness differences along x and y, [n, 1, 64, 64] in 0..1."""
    gray = F.pad(luminance(image), (1, 1, 1, 1), mode="replicate")
    across = gray[:, :, 1:-1, 2:] - gray[:, :, 1:-1, :-2]
    down = gray[:, :, 2:, 1:-1] - gray[:, :, :-2, 1:-1]
    return (across.abs() + down.abs()).clamp(0, 1)


def sketch(image: Tensor, layers: Layers) -> Tensor:
    return (1 - 1.9 * edges(image)).clamp(0.05, 1).expand_as(image)


def monochrome(image: Tensor, layers: Layers) -> Tensor:
    return luminance(image).expand_as(image)


def sepia(image: Tensor, layers: Layers) -> Tensor:
    return luminance(image) * tint(image, 1.0, 0.84, 0.62) + tint(image, 0.08, 0.03, 0.0)


def negative(image: Tensor, layers: Layers) -> Tensor:
    return 1 - image


def pixel(image: Tensor, layers: Layers) -> Tensor:
    return F.interpolate(F.avg_pool2d(image, 4), scale_factor=4.0, mode="nearest")


def watercolor(image: Tensor, layers: Layers) -> Tensor:
    x, y = grid(image)
    washed = F.avg_pool2d(F.pad(image, (2, 2, 2, 2), mode="replicate"), 5, 1)
    return washed * 0.8 + 0.2 + 0.05 * torch.sin(x * 0.9 + y * 0.6) * torch.sin(y * 0.7)


def neon(image: Tensor, layers: Layers) -> Tensor:
    lines = (edges(image) * 2.2).clamp(0, 1)
    return lines * (image * 0.9 + 0.25) + tint(image, 0.03, 0.0, 0.08)


def silhouette(image: Tensor, layers: Layers) -> Tensor:
    return layers.background * (1 - layers.cover) + layers.cover * 0.03


Filter = Callable[[Tensor, Layers], Tensor]
FILTERS: dict[str, Filter] = {
    function.__name__: function
    for function in (sketch, monochrome, sepia, negative, pixel, watercolor, neon, silhouette)
}
