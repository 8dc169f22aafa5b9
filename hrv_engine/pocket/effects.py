"""What lies over the whole image: weather and style."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .raster import GRID_X, GRID_Y, RESOLUTION, blend, fixed_noise, rgb
from .surfaces import LUMA

#: Snow, rain and lightning come in this many fixed arrangements.
ARRANGEMENTS = 4


def _flakes(seed: int) -> Tensor:
    """Where snowflakes of 2×2 pixels are, [R, R]."""
    seeds = (fixed_noise(100 + seed) > 0.962).float()
    return F.max_pool2d(F.pad(seeds[None, None], (1, 0, 1, 0)), 2, 1)[0, 0]


def _streaks(seed: int) -> Tensor:
    """Where slanted raindrops are, [R, R]."""
    across = GRID_X + 0.45 * GRID_Y + 0.9 * seed
    lane = torch.floor(across / 3.6)
    offset = torch.frac(torch.sin(lane * 12.99) * 437.5).abs()
    return ((across / 3.6 - lane) < 0.36).float() * (torch.frac(GRID_Y / 10 + offset) < 0.55).float()


def _bolt(seed: int) -> Tensor:
    """Where the lightning is, [R, R]."""
    segment = GRID_Y / 5
    side = torch.where(segment.floor() % 2 > 0, 1.0, -1.0)
    x = 4 + 8 * seed + 2.0 * (torch.frac(segment) * 2 - 1) * side
    return ((GRID_X - x).abs() < 1.1).float() * (GRID_Y > 5).float() * (GRID_Y < 26).float()


_SNOW = torch.stack([_flakes(i) for i in range(ARRANGEMENTS)])
_RAIN = torch.stack([_streaks(i) for i in range(ARRANGEMENTS)])
_BOLT = torch.stack([_bolt(i) for i in range(ARRANGEMENTS)])
_CLOUDS = ((7.0 + 1.6 * torch.sin(GRID_X / 2.6) - GRID_Y) / 1.5).clamp(0, 1)


def _sun() -> Tensor:
    distance = torch.sqrt((GRID_X - 4) ** 2 + (GRID_Y - 4) ** 2)
    angle = torch.atan2(GRID_Y - 4, GRID_X - 4)
    rays = ((torch.sin(angle * 12) > 0.2) & (distance < 9.5) & (distance > 6)).float() * 0.9
    return torch.maximum((5.4 - distance).clamp(0, 1), rays)


_SUN = _sun()


def apply_weather(weather: str, image: Tensor, generator: torch.Generator) -> Tensor:
    """Images [n, 3, R, R] under a weather."""
    pick = torch.randint(0, ARRANGEMENTS, (image.shape[0],), generator=generator)
    if weather == "rainy":
        wet = image * 0.75 + rgb((0.07, 0.08, 0.1))
        return blend(wet, rgb((0.75, 0.87, 1.0)), 0.7 * _RAIN[pick][:, None])
    if weather == "snowy":
        ground = (GRID_Y > RESOLUTION - 4).float()
        return blend(image * 0.9 + 0.08, rgb((1.0, 1.0, 1.0)), torch.maximum(_SNOW[pick], ground)[:, None])
    if weather == "foggy":
        return blend(image, rgb((0.86, 0.87, 0.88)), 0.35 + 0.3 * GRID_Y / RESOLUTION)
    if weather == "sunny":
        return blend((image * 1.06 + rgb((0.08, 0.06, 0.0))).clamp(0, 1), rgb((1.0, 0.85, 0.1)), _SUN)
    if weather == "stormy":
        dark = blend(image * 0.6, rgb((0.2, 0.2, 0.24)), _CLOUDS)
        return blend(dark, rgb((1.0, 1.0, 0.6)), _BOLT[pick][:, None])
    raise ValueError(f"unknown weather {weather!r}")


def apply_style(style: str, image: Tensor) -> Tensor:
    """Images [n, 3, R, R] in a style."""
    gray = (image * LUMA[None, :, None, None]).sum(1, keepdim=True)
    if style == "sketch":
        padded = F.pad(image, (1, 1, 1, 1), mode="replicate")
        across = (padded[:, :, 1:-1, 2:] - padded[:, :, 1:-1, :-2]).abs()
        down = (padded[:, :, 2:, 1:-1] - padded[:, :, :-2, 1:-1]).abs()
        edges = (across + down).amax(1, keepdim=True)
        return (0.97 - (edges * 1.2).clamp(0, 0.9)).clamp(0, 1).expand_as(image)
    if style == "pixelated":
        return (F.interpolate(F.avg_pool2d(image, 2), scale_factor=2, mode="nearest") * 3).round() / 3
    if style == "vintage":
        vignette = 1 - 0.55 * ((GRID_X - 16) ** 2 + (GRID_Y - 16) ** 2) / 512
        return ((gray * 0.7 + image * 0.2 + 0.06) * rgb((1.15, 0.9, 0.58)) * vignette).clamp(0, 1)
    if style == "negative":
        return 1 - image
    if style == "blurry":
        for _ in range(2):
            image = F.avg_pool2d(F.pad(image, (1, 1, 1, 1), mode="replicate"), 3, 1)
        return image
    raise ValueError(f"unknown style {style!r}")
