"""Weather and light: each takes the images that have it, [n, 3, 64, 64] in 0..1, and a number of each image [n]."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .surfaces import GRID_X, GRID_Y, column

#: Centre and radius in pixels of the discs that make the clouds of a cloudy day.
CLOUDS = ((10, 9, 8), (20, 7, 9), (30, 10, 7), (44, 8, 8), (54, 9, 9))


def grid(image: Tensor) -> tuple[Tensor, Tensor]:
    """Pixel x and y [64, 64] on the image's device."""
    return GRID_X.to(image.device), GRID_Y.to(image.device)


def tint(image: Tensor, red: float, green: float, blue: float) -> Tensor:
    """A colour [3, 1, 1] on the image's device."""
    return torch.tensor((red, green, blue), device=image.device)[:, None, None]


def blend(below: Tensor, above: Tensor | float, amount: Tensor) -> Tensor:
    """`above` laid over `below` with opacity `amount` in 0..1 (all broadcast)."""
    return below * (1 - amount) + amount * above


def disc(image: Tensor, x: float, y: float, square: float) -> Tensor:
    """1 [64, 64] where the squared distance to a point is below `square`, else 0."""
    across, down = grid(image)
    return ((across - x) ** 2 + (down - y) ** 2 < square).float()


def glow(image: Tensor, x: float, y: float, square: float) -> Tensor:
    """A Gaussian [64, 64] around a point, by its squared width."""
    across, down = grid(image)
    return torch.exp(-((across - x) ** 2 + (down - y) ** 2) / square)


def rainy(image: Tensor, variant: Tensor) -> Tensor:
    x, y = grid(image)
    shift = column(variant) * 7.3
    drops = 0.55 * (((x + y * 0.35 + shift) % 7 < 1.2) & ((y + x * 3.1 + shift * 2) % 13 < 8)).float()
    return blend(image * 0.55 + tint(image, 0.16, 0.2, 0.28), tint(image, 0.72, 0.82, 0.95), drops)


def snowy(image: Tensor, variant: Tensor) -> Tensor:
    x, y = grid(image)
    shift = column(variant) * 7.3
    across, down = (x + shift) % 9 - 4.5, (y + ((x + shift) // 9) * 4 + shift * 1.7) % 9 - 4.5
    return blend(image * 0.8 + 0.12, 1.0, (across**2 + down**2 < 2.6).float())


def foggy(image: Tensor, variant: Tensor) -> Tensor:
    return image * 0.42 + 0.5


def sunny(image: Tensor, variant: Tensor) -> Tensor:
    warm = image * 1.08 + tint(image, 0.1, 0.07, -0.04)
    sun = blend(warm, tint(image, 1.0, 0.85, 0.2), disc(image, 54, 10, 40))
    return sun + 0.35 * glow(image, 54, 10, 90) * tint(image, 1.0, 0.9, 0.4)


def stormy(image: Tensor, variant: Tensor) -> Tensor:
    x, y = grid(image)
    centre = 46 + 6 * ((y / 6).floor() % 2) - y * 0.18
    bolt = ((x - centre).abs() < 1.6).float() * (y < 34)
    return blend(image * 0.38 + tint(image, 0.02, 0.02, 0.08), tint(image, 1.0, 0.95, 0.5), bolt)


def cloudy(image: Tensor, variant: Tensor) -> Tensor:
    clouds = torch.stack([disc(image, x, y, radius * radius) for x, y, radius in CLOUDS]).amax(0)
    return blend(image * 0.86, tint(image, 0.78, 0.8, 0.85), clouds)


def bright(image: Tensor, variant: Tensor) -> Tensor:
    return image * 1.15 + 0.18


def dark(image: Tensor, variant: Tensor) -> Tensor:
    return image * 0.28


def dim(image: Tensor, variant: Tensor) -> Tensor:
    return image * 0.58


def sunset(image: Tensor, variant: Tensor) -> Tensor:
    return image * tint(image, 1.0, 0.62, 0.42) + tint(image, 0.1, 0.04, 0.0)


def moonlit(image: Tensor, variant: Tensor) -> Tensor:
    return image * tint(image, 0.32, 0.42, 0.75) + tint(image, 0.0, 0.02, 0.1)


def spotlight(image: Tensor, variant: Tensor) -> Tensor:
    return image * (0.12 + glow(image, 31.5, 31.5, 420))


Effect = Callable[[Tensor, Tensor], Tensor]
#: In the order of `words.WEATHERS` and `words.LIGHTS`.
WEATHER: tuple[Effect, ...] = (rainy, snowy, foggy, sunny, stormy, cloudy)
LIGHT: tuple[Effect, ...] = (bright, dark, dim, sunset, moonlit, spotlight)
