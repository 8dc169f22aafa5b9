"""Signed-distance outlines of every object, on a unit frame: u to the right, v down, about −1..1.

``outline(kind, u, v)`` returns an :class:`Outline` of tensors shaped like u: negative inside, in units of the radius.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

#: Natural colour and accent colour (leaves, stems, seeds) of fruits and plants, RGB in 0..1.
NATURAL: dict[str, tuple[tuple[float, float, float], tuple[float, float, float]]] = {
    "apple fruit": ((0.85, 0.08, 0.1), (0.3, 0.55, 0.1)),
    "banana fruit": ((0.98, 0.86, 0.2), (0.35, 0.25, 0.08)),
    "cherry fruit": ((0.72, 0.02, 0.12), (0.2, 0.5, 0.1)),
    "grape fruit": ((0.42, 0.12, 0.52), (0.35, 0.5, 0.15)),
    "pear fruit": ((0.72, 0.8, 0.25), (0.35, 0.25, 0.1)),
    "orange fruit": ((1.0, 0.55, 0.03), (0.1, 0.5, 0.1)),
    "lime fruit": ((0.42, 0.78, 0.12), (0.93, 1.0, 0.8)),
    "peach fruit": ((1.0, 0.66, 0.5), (0.2, 0.55, 0.15)),
    "tulip plant": ((0.95, 0.35, 0.15), (0.2, 0.6, 0.2)),
    "cactus plant": ((0.12, 0.5, 0.2), (0.9, 0.95, 0.8)),
    "tree plant": ((0.1, 0.45, 0.12), (0.4, 0.22, 0.08)),
    "mushroom plant": ((0.8, 0.13, 0.1), (0.95, 0.9, 0.8)),
    "sunflower plant": ((0.98, 0.8, 0.06), (0.35, 0.2, 0.06)),
    "rose plant": ((0.9, 0.12, 0.35), (0.1, 0.45, 0.12)),
    "lavender plant": ((0.58, 0.4, 0.86), (0.3, 0.55, 0.28)),
}


class Outline(NamedTuple):
    """Body distance, accent distance (None: no accent) and a brightness multiplier of the body (None: 1)."""

    body: Tensor
    accent: Tensor | None = None
    shade: Tensor | None = None


def union(*parts: Tensor) -> Tensor:
    """Distance to whichever part is nearest."""
    result = parts[0]
    for part in parts[1:]:
        result = torch.minimum(result, part)
    return result


def intersection(*parts: Tensor) -> Tensor:
    """Distance to the region inside every part."""
    result = parts[0]
    for part in parts[1:]:
        result = torch.maximum(result, part)
    return result


def disc(u: Tensor, v: Tensor, x: float, y: float, radius: float) -> Tensor:
    """Distance to a disc."""
    return torch.sqrt((u - x) ** 2 + (v - y) ** 2 + 1e-6) - radius


def ellipse(u: Tensor, v: Tensor, x: float, y: float, a: float, b: float) -> Tensor:
    """Approximate distance to an axis-aligned ellipse with half axes a and b."""
    return (torch.sqrt(((u - x) / a) ** 2 + ((v - y) / b) ** 2 + 1e-6) - 1) * min(a, b)


def stroke(u: Tensor, v: Tensor, start: tuple[float, float], end: tuple[float, float], width: float) -> Tensor:
    """Distance to a line segment with round ends."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    along = (((u - start[0]) * dx + (v - start[1]) * dy) / (dx * dx + dy * dy)).clamp(0, 1)
    return torch.sqrt((u - start[0] - along * dx) ** 2 + (v - start[1] - along * dy) ** 2 + 1e-6) - width


def circle(u: Tensor, v: Tensor) -> Outline:
    return Outline(disc(u, v, 0, 0, 0.92))


def square(u: Tensor, v: Tensor) -> Outline:
    return Outline(intersection(u.abs(), v.abs()) - 0.8)


def triangle(u: Tensor, v: Tensor) -> Outline:
    return Outline(intersection(v - 0.75, 0.88 * u.abs() - 0.47 * (v + 0.95)))


def star(u: Tensor, v: Tensor) -> Outline:
    sector = 2 * math.pi / 5
    angle = torch.remainder(torch.atan2(u, -v) + sector / 2, sector) - sector / 2
    length = torch.sqrt(u * u + v * v + 1e-6)
    x, y = length * torch.cos(angle), length * torch.sin(angle.abs())
    ex, ey = 0.42 * math.cos(sector / 2) - 1.08, 0.42 * math.sin(sector / 2)
    return Outline(((x - 1.08) * ey - y * ex) / math.hypot(ex, ey))


def heart(u: Tensor, v: Tensor) -> Outline:
    lobes = -v * 1.1 + 0.08 - 0.66 * torch.sqrt(u.abs() + 1e-4)
    return Outline(torch.sqrt(u * u * 1.2 + lobes * lobes + 1e-6) - 0.85)


def cross(u: Tensor, v: Tensor) -> Outline:
    a, b = u.abs(), v.abs()
    return Outline(union(intersection(a - 0.3, b - 0.95), intersection(b - 0.3, a - 0.95)))


def apple(u: Tensor, v: Tensor) -> Outline:
    flesh = union(disc(u, v, -0.32, 0.18, 0.6), disc(u, v, 0.32, 0.18, 0.6))
    leaf = union(stroke(u, v, (0, -0.4), (0.1, -0.95), 0.09), ellipse(u, v, 0.45, -0.78, 0.34, 0.17))
    return Outline(intersection(flesh, -disc(u, v, 0, -0.55, 0.2)), leaf)


def banana(u: Tensor, v: Tensor) -> Outline:
    crescent = intersection(disc(u, v, 0, -0.2, 1.0), -disc(u, v, 0.1, -0.78, 0.98))
    return Outline(crescent, union(disc(u, v, -0.88, -0.5, 0.17), disc(u, v, 0.95, -0.3, 0.14)))


def cherry(u: Tensor, v: Tensor) -> Outline:
    fruit = union(disc(u, v, -0.48, 0.45, 0.45), disc(u, v, 0.5, 0.5, 0.45))
    left = stroke(u, v, (-0.4, 0.1), (0.1, -0.9), 0.08)
    right = stroke(u, v, (0.45, 0.1), (0.1, -0.9), 0.08)
    return Outline(fruit, union(left, right, ellipse(u, v, 0.42, -0.85, 0.34, 0.16)))


def grape(u: Tensor, v: Tensor) -> Outline:
    centres = ((-0.58, -0.3), (0, -0.3), (0.58, -0.3), (-0.29, 0.2), (0.29, 0.2), (0, 0.68))
    berries = union(*(disc(u, v, x, y, 0.32) for x, y in centres))
    shade = 1 - 0.5 * ((berries + 0.1) / 0.1).clamp(0, 1)
    return Outline(berries, stroke(u, v, (0, -0.5), (0.12, -0.98), 0.1), shade)


def pear(u: Tensor, v: Tensor) -> Outline:
    flesh = union(disc(u, v, 0, 0.36, 0.62), ellipse(u, v, 0, -0.25, 0.38, 0.62))
    return Outline(flesh, stroke(u, v, (0, -0.72), (0.16, -1.05), 0.1))


def orange(u: Tensor, v: Tensor) -> Outline:
    dimples = 1 - 0.35 * (torch.sin(u * 8) * torch.sin(v * 8) > 0.3).float()
    leaves = union(ellipse(u, v, 0.36, -0.78, 0.4, 0.2), ellipse(u, v, -0.3, -0.8, 0.3, 0.16))
    return Outline(disc(u, v, 0, 0.14, 0.82), leaves, dimples)


def lime(u: Tensor, v: Tensor) -> Outline:
    rind = disc(u, v, 0, 0, 0.94)
    angle, length = torch.atan2(v, u), torch.sqrt(u * u + v * v + 1e-6)
    pith = union((rind + 0.18).abs() - 0.07, torch.sin(3 * angle).abs() * length * 0.45 - 0.07)
    return Outline(rind, intersection(pith, length - 0.86))


def peach(u: Tensor, v: Tensor) -> Outline:
    flesh = union(disc(u, v, -0.14, 0.14, 0.76), disc(u, v, 0.16, 0.14, 0.74))
    crease = 1 - 0.5 * ((0.15 - (u - 0.1 + 0.35 * (v - 0.1) ** 2).abs()) / 0.1).clamp(0, 1)
    return Outline(flesh, ellipse(u, v, 0.45, -0.74, 0.45, 0.19), crease)


def rose(u: Tensor, v: Tensor) -> Outline:
    y = v + 0.38
    length, angle = torch.sqrt(u * u + y * y + 1e-6), torch.atan2(y, u)
    stem = stroke(u, v, (0, 0.15), (0, 1.0), 0.1)
    leaves = union(ellipse(u, v, 0.34, 0.66, 0.32, 0.16), ellipse(u, v, -0.34, 0.5, 0.32, 0.16))
    swirl = 1 - 0.5 * (torch.sin(length * 12 - angle) > 0.3).float()
    return Outline(length - 0.58 - 0.06 * torch.cos(5 * angle), union(stem, leaves), swirl)


def tulip(u: Tensor, v: Tensor) -> Outline:
    y = v + 0.4
    cup = intersection(ellipse(u, y, 0, 0, 0.52, 0.6), -y - 0.15 - 0.24 * torch.cos(u * 2.1 * math.pi))
    left = stroke(u, v, (0, 0.9), (-0.5, 0.2), 0.12)
    right = stroke(u, v, (0, 0.9), (0.5, 0.2), 0.12)
    return Outline(cup, union(stroke(u, v, (0, 0.1), (0, 1.0), 0.1), left, right))


def lavender(u: Tensor, v: Tensor) -> Outline:
    spikes = []
    for x, top in ((-0.5, -0.55), (0.0, -0.9), (0.5, -0.55)):
        spikes += [disc(u, v, x, top + 0.24 * step, 0.17) for step in range(4)]
    stems = (stroke(u, v, (0, 0.95), (x, 0.2), 0.07) for x in (-0.5, 0.0, 0.5))
    return Outline(union(*spikes), union(*stems))


def cactus(u: Tensor, v: Tensor) -> Outline:
    trunk = stroke(u, v, (0, -0.7), (0, 0.95), 0.28)
    left = union(stroke(u, v, (-0.65, -0.35), (-0.65, 0.1), 0.16), stroke(u, v, (-0.65, 0.15), (0, 0.28), 0.15))
    right = union(stroke(u, v, (0.65, -0.1), (0.65, 0.35), 0.16), stroke(u, v, (0.65, 0.4), (0, 0.52), 0.15))
    body = union(trunk, left, right)
    return Outline(body, intersection(body + 0.1, 0.12 - torch.sin(v * 9) * torch.sin(u * 9 + 1) * 0.2))


def tree(u: Tensor, v: Tensor) -> Outline:
    crown = union(disc(u, v, 0, -0.48, 0.5), disc(u, v, -0.45, -0.1, 0.42), disc(u, v, 0.45, -0.1, 0.42))
    return Outline(crown, intersection(u.abs() - 0.17, (v - 0.6).abs() - 0.42))


def mushroom(u: Tensor, v: Tensor) -> Outline:
    cap = intersection(ellipse(u, v, 0, 0, 0.98, 0.88), v - 0.02)
    spots = union(disc(u, v, -0.48, -0.28, 0.16), disc(u, v, 0.42, -0.25, 0.16), disc(u, v, 0, -0.6, 0.14))
    return Outline(cap, union(stroke(u, v, (0, 0.2), (0, 0.8), 0.26), spots))


def sunflower(u: Tensor, v: Tensor) -> Outline:
    y = v + 0.28
    length, angle = torch.sqrt(u * u + y * y + 1e-6), torch.atan2(y, u)
    petals = length - 0.58 - 0.15 * torch.cos(9 * angle)
    return Outline(petals, union(length - 0.32, stroke(u, v, (0, 0.5), (0, 1.0), 0.09)))


_OUTLINES = {
    function.__name__: function
    for function in (circle, square, triangle, star, heart, cross)
    + (apple, banana, cherry, grape, pear, orange, lime, peach)
    + (rose, tulip, lavender, cactus, tree, mushroom, sunflower)
}


def outline(kind: str, u: Tensor, v: Tensor) -> Outline:
    """The outline of a kind ('star', 'orange fruit', ...) at the unit-frame coordinates u, v."""
    return _OUTLINES[kind.split(" ")[0]](u, v)
