"""What a drawing is covered with: another colour or material by its brightness, and a pattern over it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .bank import SIDE
from .paints import CONTRAST, LUMA, OPACITY, per_material, shades

#: Brightness that every drawing is moved towards before it is coloured anew, by this share of the way.
MIDDLE, TOWARDS_MIDDLE = 0.55, 0.7
PATTERN_OPACITY = 0.8
#: Mean brightness below which a pattern is light on dark.
DARK = 0.62
_CENTRES = torch.arange(SIDE).float()
GRID_Y, GRID_X = torch.meshgrid(_CENTRES, _CENTRES, indexing="ij")


def column(values: Tensor) -> Tensor:
    """One value an image [n] as [n, 1, 1, 1]."""
    return values[:, None, None, None]


def patterns() -> Tensor:
    """Masks [1 + patterns, 64, 64] in 0..1 in the order of `words.PATTERNS`; row 0 is empty."""
    x, y = GRID_X, GRID_Y
    stripes = (x + y) % 10 < 5
    dots = (x % 9 - 4) ** 2 + (y % 9 - 4) ** 2 < 7
    checks = (x // 8 + y // 8) % 2 > 0
    zigzags = (y + 4 * (x % 12 - 6).abs() / 3) % 11 < 5
    stars = (x % 14 - 7).abs() + (y % 14 - 7).abs() < 4
    return torch.stack([torch.zeros_like(x), *(mask.float() for mask in (stripes, dots, checks, zigzags, stars))])


def textures() -> Tensor:
    """Brightness [1 + materials, 64, 64] that multiplies each material's colours; 1 where it is smooth."""
    x, y = GRID_X, GRID_Y
    noise = torch.rand(SIDE, SIDE, generator=torch.Generator().manual_seed(5))
    smooth = torch.ones_like(x)
    wood = 0.82 + 0.18 * torch.sin(y * 0.9 + 2.2 * torch.sin(x * 0.11) + noise)
    stone = 0.78 + 0.3 * F.avg_pool2d(noise[None], 3, 1, 1)[0]
    marble = 0.92 + 0.12 * torch.sin(x * 0.25 + y * 0.3 + 3 * torch.sin(y * 0.12))
    rust = 0.7 + 0.5 * F.avg_pool2d(noise[None], 5, 1, 2)[0]
    # wooden, golden, silver, glass, stone, chocolate, marble, rusty
    return torch.stack([smooth, wood, smooth, smooth, smooth, stone, smooth, marble, rust])


class Surfaces:
    """Colours drawings anew, on one device."""

    def __init__(self, device: torch.device | str) -> None:
        self.shades = shades().to(device)
        self.textures = textures().to(device)
        self.patterns = patterns().to(device)
        self.contrast = per_material(CONTRAST).to(device)
        self.opacity = per_material(OPACITY).to(device)
        self.luma = torch.tensor(LUMA, device=device)[:, None, None]

    def paint(self, color: Tensor, alpha: Tensor, paint: Tensor, material: Tensor) -> Tensor:
        """Colours [n, 3, 64, 64] of drawings with alpha [n, 1, 64, 64] in paint and material numbers [n], from 1."""
        brightness = (color * self.luma).sum(1, keepdim=True)
        mean = (brightness * alpha).sum((2, 3), keepdim=True) / alpha.sum((2, 3), keepdim=True).clamp(min=1)
        brightness = brightness + (MIDDLE - mean) * TOWARDS_MIDDLE
        brightness = ((brightness - 0.5) * column(self.contrast[material]) + 0.5).clamp(0, 1)
        shadow, middle, light = self.shades[paint][..., None, None].unbind(1)
        below = shadow + (middle - shadow) * (brightness * 2)
        above = middle + (light - middle) * (brightness * 2 - 1)
        painted = torch.where(brightness < 0.5, below, above)
        return (painted * self.textures[material][:, None]).clamp(0, 1)

    def cover(self, color: Tensor, alpha: Tensor, pattern: Tensor) -> Tensor:
        """The colours with a pattern number [n], from 1, over them: dark on light drawings, light on dark ones."""
        mean = (color * alpha).sum((1, 2, 3)) / (3 * alpha.sum((1, 2, 3)).clamp(min=1))
        tone = torch.where(mean < DARK, 1.0, 0.12)
        mask = self.patterns[pattern][:, None] * PATTERN_OPACITY
        return color * (1 - mask) + mask * column(tone)
