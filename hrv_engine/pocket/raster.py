"""The pixel grid every part of the renderer draws on."""

from __future__ import annotations

import torch
from torch import Tensor

RESOLUTION = 32
_CENTRES = torch.arange(RESOLUTION).float() + 0.5
#: Pixel centres [R, R]: y downwards, x to the right.
GRID_Y, GRID_X = torch.meshgrid(_CENTRES, _CENTRES, indexing="ij")


def rgb(color: tuple[float, float, float]) -> Tensor:
    """A colour as [3, 1, 1]."""
    return torch.tensor(color)[:, None, None]


def blend(below: Tensor, above: Tensor, amount: Tensor) -> Tensor:
    """`above` laid over `below` with opacity `amount` in 0..1 (all broadcast)."""
    return below * (1 - amount) + above * amount


def fixed_noise(seed: int) -> Tensor:
    """The same uniform noise [R, R] each time."""
    return torch.rand(RESOLUTION, RESOLUTION, generator=torch.Generator().manual_seed(seed))


def coverage(distance: Tensor, radius: Tensor) -> Tensor:
    """Anti-aliased coverage in 0..1 of a signed distance given in units of `radius` pixels."""
    return (0.5 - distance * radius).clamp(0, 1)
