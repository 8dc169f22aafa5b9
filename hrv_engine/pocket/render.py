"""Scenes to images: layout, objects, weather and style, thousands of images a second on one core."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .backgrounds import backgrounds
from .effects import apply_style, apply_weather
from .raster import GRID_X, GRID_Y, blend, coverage, fixed_noise
from .scenes import COLORS, MATERIALS, PATTERNS, STYLES, WEATHERS, Scene, Thing
from .shapes import NATURAL, outline
from .surfaces import apply_material, pattern_mask, second_color

#: Radius in pixels of a single centred object, by size word.
RADII = {None: 10.5, "tiny": 5.0, "small": 7.4, "large": 13.6, "huge": 17.6}
CENTRES = {"left": (8.5, 16.0), "right": (23.5, 16.0), "top": (16.0, 8.5), "bottom": (16.0, 23.5)}
ARRANGEMENT = {
    2: (((8.2, 16.0), (23.8, 16.0)), 7.4),
    3: (((16.0, 8.2), (8.2, 23.4), (23.8, 23.4)), 7.0),
    4: (((8.2, 8.2), (23.8, 8.2), (8.2, 23.8), (23.8, 23.8)), 7.0),
}
POSITION_RADIUS = 7.8
JITTER = 1.0
TILT = 0.05
_GRAIN = torch.stack([fixed_noise(200 + index) for index in range(4)])


@dataclass(frozen=True)
class Placed:
    """A thing at a pixel centre with a radius in pixels."""

    thing: Thing
    x: float
    y: float
    radius: float


def layout(scene: Scene, rng: random.Random) -> list[Placed]:
    """Where the things of a scene stand; the first named of two is on the left."""

    def jitter(width: float) -> float:
        return rng.uniform(-width, width)

    if not scene.things:
        return []
    if len(scene.things) > 1 or scene.count > 1:
        number = max(len(scene.things), scene.count)
        things = scene.things if len(scene.things) > 1 else scene.things * number
        centres, radius = ARRANGEMENT[number]
        return [
            Placed(thing, x + jitter(0.6), y + jitter(0.6), radius + jitter(0.25))
            for thing, (x, y) in zip(things, centres, strict=True)
        ]
    x, y = CENTRES.get(scene.position or "", (16.0, 16.0))
    radius = RADII[scene.size]
    if scene.position:
        radius = min(radius, POSITION_RADIUS)
    width = 0.6 if scene.position else JITTER
    return [Placed(scene.things[0], x + jitter(width), y + jitter(width), radius * (1 + jitter(0.035)))]


def _where(items: Sequence[str | None], value: str) -> list[int]:
    return [index for index, item in enumerate(items) if item == value]


def _draw(image: Tensor, rows: list[int], placed: list[Placed], generator: torch.Generator) -> None:
    """Draws one object into each of the images `rows` of image [B, 3, R, R], in place."""
    count = len(rows)
    x, y, radius = torch.tensor([(p.x, p.y, p.radius) for p in placed]).T[:, :, None, None]
    tilt = (torch.rand(count, 1, 1, generator=generator) - 0.5) * 2 * TILT
    right, down = (GRID_X - x) / radius, (GRID_Y - y) / radius
    u = right * torch.cos(tilt) + down * torch.sin(tilt)
    v = down * torch.cos(tilt) - right * torch.sin(tilt)
    body, accent, shade = torch.empty_like(u), torch.full_like(u, 9.0), torch.ones_like(u)
    kinds = [p.thing.kind for p in placed]
    for kind in sorted(set(kinds)):
        which = _where(kinds, kind)
        parts = outline(kind, u[which], v[which])
        body[which] = parts.body
        if parts.accent is not None:
            accent[which] = parts.accent
        if parts.shade is not None:
            shade[which] = parts.shade
    base = torch.tensor([COLORS[p.thing.color] if p.thing.color else NATURAL[p.thing.kind][0] for p in placed])
    trim = torch.tensor([NATURAL[kind][1] if kind in NATURAL else (0.0, 0.0, 0.0) for kind in kinds])
    base = (base + (torch.rand(count, 3, generator=generator) - 0.5) * 0.06).clamp(0, 1)
    color = base[:, :, None, None] * shade[:, None]
    patterns = [p.thing.pattern for p in placed]
    mask = torch.zeros_like(u)
    for pattern in PATTERNS:
        if which := _where(patterns, pattern):
            scale = (radius[which] / 10).clamp(0.7, 1.3)
            mask[which] = pattern_mask(pattern, u[which] * radius[which] / scale, v[which] * radius[which] / scale)
    color = blend(color, second_color(base)[:, :, None, None], mask[:, None])
    materials = [p.thing.material for p in placed]
    grain = _GRAIN[torch.randint(0, len(_GRAIN), (count,), generator=generator)]
    opacity = coverage(body, radius)
    if which := _where(materials, "furry"):
        opacity[which] = coverage(body[which] + (grain[which] - 0.5) * 0.4, radius[which])
    behind = image[rows]
    for material in MATERIALS:
        if which := _where(materials, material):
            color[which] = apply_material(
                material, color[which], behind[which], u[which], v[which], body[which], grain[which]
            )
    drawn = blend(behind, color, opacity[:, None])
    image[rows] = blend(drawn, trim[:, :, None, None], coverage(accent, radius)[:, None])


def render(scenes: Sequence[Scene], seed: int) -> Tensor:
    """Images [B, 3, 32, 32] in 0..1 of the scenes; the same scenes and seed give the same images."""
    generator = torch.Generator().manual_seed(seed)
    rng = random.Random(seed)
    image = backgrounds([scene.scene for scene in scenes], generator)
    placed = [layout(scene, rng) for scene in scenes]
    for index in range(max(map(len, placed), default=0)):
        rows = [row for row, things in enumerate(placed) if len(things) > index]
        _draw(image, rows, [placed[row][index] for row in rows], generator)
    for weather in WEATHERS:
        if rows := _where([scene.weather for scene in scenes], weather):
            image[rows] = apply_weather(weather, image[rows], generator)
    for style in STYLES:
        if rows := _where([scene.style for scene in scenes], style):
            image[rows] = apply_style(style, image[rows])
    return image.clamp(0, 1)
