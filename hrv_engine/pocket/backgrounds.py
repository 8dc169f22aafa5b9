"""What stands behind the objects: the plain default and six scenes, all but fixed so that a small model learns them."""

from __future__ import annotations

import torch
from torch import Tensor

from .raster import GRID_X, GRID_Y, RESOLUTION, blend, fixed_noise, rgb

PLAIN = (0.62, 0.62, 0.62)


def _desert() -> Tensor:
    dune = (GRID_Y - 16 - 2.2 * torch.sin(GRID_X / 5)).clamp(0, 1)
    image = blend(rgb((0.55, 0.78, 0.95)), rgb((0.92, 0.76, 0.42)), dune)
    ripples = (torch.sin((GRID_Y + 1.5 * torch.sin(GRID_X / 5)) * 1.3) > 0.6).float() * dune
    return image - 0.12 * ripples


def _ocean() -> Tensor:
    sea = (GRID_Y - 10).clamp(0, 1)
    image = blend(rgb((0.75, 0.9, 0.98)), rgb((0.04, 0.32, 0.68)), sea)
    waves = (torch.sin((GRID_Y + 1.2 * torch.sin(GRID_X / 2.2)) * 1.5) > 0.7).float() * sea
    return image + 0.25 * waves


def _meadow() -> Tensor:
    grass = (GRID_Y - 15 - 1.5 * torch.sin(GRID_X / 6 + 2)).clamp(0, 1)
    image = blend(rgb((0.5, 0.76, 0.98)), rgb((0.36, 0.74, 0.2)), grass)
    flowers = (fixed_noise(3) > 0.94).float() * (GRID_Y > 18).float()
    return blend(image, rgb((1.0, 0.97, 0.7)), flowers)


def _forest() -> Tensor:
    image = rgb((0.1, 0.24, 0.1)).expand(3, RESOLUTION, RESOLUTION)
    trunks = (torch.sin(GRID_X * 0.785 + 0.8) > 0.55).float() * (GRID_Y > 8).float()
    image = blend(image, rgb((0.32, 0.2, 0.1)), trunks)
    crowns = ((9 + 2 * torch.sin(GRID_X * 0.785 + 0.8) > GRID_Y) & (fixed_noise(5) > 0.35)).float()
    return blend(image, rgb((0.1, 0.46, 0.14)), crowns)


def _city() -> Tensor:
    image = rgb((0.66, 0.7, 0.8)).expand(3, RESOLUTION, RESOLUTION)
    roofs = torch.tensor([9.0, 4.0, 13.0, 7.0, 11.0, 5.0, 14.0, 8.0]).repeat_interleave(4)[None]
    tones = torch.tensor([0.3, 0.24, 0.36, 0.28, 0.38, 0.25, 0.33, 0.29]).repeat_interleave(4)[None]
    towers = (roofs < GRID_Y).float()
    image = blend(image, tones * rgb((0.95, 1.0, 1.15)), towers)
    lit = ((GRID_X.long() % 2 == 1) & (GRID_Y.long() % 3 == 1)).float() * towers
    return blend(image, rgb((1.0, 0.9, 0.45)), 0.75 * lit)


def _night() -> Tensor:
    image = rgb((0.03, 0.03, 0.16)).expand(3, RESOLUTION, RESOLUTION)
    image = image + (fixed_noise(11) > 0.955).float() * 0.9
    moon = (4.2 - torch.sqrt((GRID_X - 26) ** 2 + (GRID_Y - 5.5) ** 2)).clamp(0, 1)
    return blend(image, rgb((0.96, 0.94, 0.72)), moon)


_BACKDROPS: dict[str | None, Tensor] = {
    None: rgb(PLAIN).expand(3, RESOLUTION, RESOLUTION),
    "desert": _desert(),
    "ocean": _ocean(),
    "meadow": _meadow(),
    "forest": _forest(),
    "city": _city(),
    "night": _night(),
}


def backgrounds(names: list[str | None], generator: torch.Generator) -> Tensor:
    """One background [n, 3, R, R] per scene name (None: plain), each with a slight random tint and brightness."""
    image = torch.stack([_BACKDROPS[name] for name in names])
    count = len(names)
    brightness = (torch.rand(count, 1, 1, 1, generator=generator) - 0.5) * 0.12
    tint = (torch.rand(count, 3, 1, 1, generator=generator) - 0.5) * 0.06
    return (image + brightness + tint).clamp(0, 1)
