"""What an object is covered with: patterns and materials, applied to its colours."""

from __future__ import annotations

import math

import torch
from torch import Tensor

LUMA = torch.tensor([0.3, 0.59, 0.11])
WOOD = torch.tensor([0.5, 0.3, 0.12])


def pattern_mask(pattern: str, x: Tensor, y: Tensor) -> Tensor:
    """Where [n, R, R] in 0..1 the second colour shows, at pixel offsets x, y from the object's centre."""
    if pattern == "striped":
        wave = torch.sin(y * 2 * math.pi / 5.0)
    elif pattern == "dotted":
        wave = torch.cos(x * 2 * math.pi / 5.5) * 0.5 + torch.cos(y * 2 * math.pi / 5.5) * 0.5 - 0.3
    elif pattern == "checkered":
        wave = torch.sin(x * math.pi / 4.0) * torch.sin(y * math.pi / 4.0) * 1.6
    elif pattern == "zigzag":
        saw = (torch.remainder(x / 8, 1) - 0.5).abs() * 2 - 0.5
        wave = torch.cos((y + 4.0 * saw) * 2 * math.pi / 6.5)
    else:
        raise ValueError(f"unknown pattern {pattern!r}")
    return (wave * 2.2 + 0.5).clamp(0, 1)


def second_color(rgb: Tensor) -> Tensor:
    """The colour [n, 3] that a pattern alternates with: dark on light colours, light on dark ones."""
    light = (rgb * LUMA).sum(1, keepdim=True) > 0.55
    return torch.where(light, rgb * 0.35, rgb * 0.2 + 0.78)


def apply_material(
    material: str, color: Tensor, behind: Tensor, u: Tensor, v: Tensor, body: Tensor, grain: Tensor
) -> Tensor:
    """The surface [n, 3, R, R] of a material over `color` and what is behind; grain is noise in 0..1."""
    if material == "metal":
        sheen = torch.sin((u * 0.8 + v) * 3.6 + 0.6)[:, None]
        return (color * (0.6 + 0.4 * sheen) + 0.9 * (sheen - 0.4).clamp(min=0)).clamp(0, 1)
    if material == "glass":
        rim = ((body + 0.24) / 0.12).clamp(0, 1)[:, None]
        spot = (3.5 - torch.sqrt((u + 0.3) ** 2 + (v + 0.3) ** 2 + 1e-6) * 12).clamp(0, 1)[:, None]
        clear = color * 0.4 + behind * 0.6
        clear = clear * (1 - 0.7 * rim) + 0.7 * rim * (color * 0.3 + 0.7)
        return clear * (1 - spot) + spot
    if material == "wooden":
        rings = (torch.sin((u * 1.5 + 0.4 * torch.sin(v * 3.5)) * 7.5) > 0.2).float()[:, None]
        return (color * 0.5 + WOOD[None, :, None, None] * 0.5) * (1 - 0.45 * rings)
    if material == "furry":
        return (color * (0.55 + 0.7 * grain[:, None])).clamp(0, 1)
    raise ValueError(f"unknown material {material!r}")
