"""Where a scene is: twelve places in a few variants each, drawn once with numpy.

Coordinates are shares of the side, x to the right, y down. The order of the random draws is part of a place: the same
seed gives the same variants, and the model was trained on those of seed 0.
"""

from __future__ import annotations

import functools

import numpy as np
import torch
from torch import Tensor

from .bank import SIDE
from .paints import rgb
from .words import PLACES

VARIANTS = 24
Array = np.ndarray


class Canvas:
    """One background in the making: `image` [64, 64, 3] in 0..1, a random horizon, and what draws on it."""

    def __init__(self, random: np.random.Generator, variant: int) -> None:
        self.random = random
        self.variant = variant
        self.y, self.x = np.mgrid[0:SIDE, 0:SIDE] / SIDE
        self.horizon = 0.55 + 0.12 * random.random()
        self.grain = random.random((SIDE, SIDE, 1)) * 0.06 - 0.03
        self.image = np.zeros((SIDE, SIDE, 3))

    def sky(self, top: str, bottom: str) -> None:
        """Fills the whole image with a vertical gradient."""
        self.image = self._gradient(top, bottom)

    def ground(self, top: str, bottom: str, horizon: float) -> None:
        """The same gradient, below the horizon only."""
        self.image = np.where((self.y > horizon)[..., None], self._gradient(top, bottom), self.image)

    def _gradient(self, top: str, bottom: str) -> Array:
        return np.array(rgb(top)) * (1 - self.y[..., None]) + np.array(rgb(bottom)) * self.y[..., None]

    def fill(self, where: Array, color: str, darkest: float = 1.0, spread: float = 0.0) -> None:
        """Colours a region, its brightness drawn from darkest..darkest + spread."""
        brightness = darkest + spread * self.random.random() if spread else darkest
        self.image[where] = np.array(rgb(color)) * brightness

    def distance(self, x: float, y: float) -> Array:
        """Squared distance of every pixel to a point."""
        return (self.x - x) ** 2 + (self.y - y) ** 2

    def waves(self, frequency: float, phase: float) -> Array:
        """A sine along x."""
        return np.sin(frequency * self.x + phase)


def forest(at: Canvas) -> None:
    at.sky("3f7a4a", "123a1c")
    for _ in range(9):
        x, width = at.random.random(), 0.02 + 0.03 * at.random.random()
        at.fill((abs(at.x - x) < width) & (at.y > 0.15), "4a2f1c", 0.7, 0.5)
    for _ in range(26):
        x, y, radius = at.random.random(), at.random.random() * 0.45, 0.06 + 0.08 * at.random.random()
        at.fill(at.distance(x, y) < radius * radius, "1f6a30", 0.6, 0.7)


def beach(at: Canvas) -> None:
    at.sky("7cc8f8", "c8ecff")
    at.ground("f4e0a8", "d8b870", at.horizon)
    shore = at.horizon + 0.02 * at.waves(9, at.variant)
    at.fill((at.y > at.horizon - 0.16) & (at.y <= shore), "2a9cd0")


def desert(at: Canvas) -> None:
    at.sky("ffd890", "ffeccc")
    at.fill(at.y > at.horizon + 0.08 * at.waves(4, 6 * at.random.random()), "e0a050")
    at.fill(at.y > at.horizon + 0.16 + 0.06 * at.waves(5, 6 * at.random.random()), "c8843c")


def snow(at: Canvas) -> None:
    at.sky("a8c4e4", "dce8f4")
    at.fill(at.y > at.horizon + 0.04 * at.waves(5, 6 * at.random.random()), "f8fbff")
    for _ in range(4):
        x, size = at.random.random(), 0.07 + 0.05 * at.random.random()
        top = at.horizon - 2 * size
        at.fill((at.y > top) & (at.y < at.horizon) & (abs(at.x - x) < (at.y - top) * 0.45), "3a6a58")


def night(at: Canvas) -> None:
    at.sky("050a28", "1c2a5c")
    for _ in range(28):
        x, y = at.random.random(), at.random.random() * 0.7
        at.fill(at.distance(x, y) < 0.00016, "fff8d0")
    at.fill(at.distance(0.82, 0.16) < 0.008, "fff0b0")
    at.fill(at.y > 0.85, "08101c")


def space(at: Canvas) -> None:
    at.sky("04000c", "180a34")
    for _ in range(60):
        x, y = at.random.random(), at.random.random()
        at.fill(at.distance(x, y) < 0.00018 * at.random.random() + 0.00004, "ffffff")
    x, y = at.random.random(), at.random.random() * 0.35
    at.fill(at.distance(x, y) < 0.014, "c07040")


def city(at: Canvas) -> None:
    at.sky("b0c8e0", "e8eef4")
    column, row = (at.x * SIDE).astype(int), (at.y * SIDE).astype(int)
    windows = (column % 4 == 1) & (row % 5 == 2) & (at.y < 0.8)
    left = 0.0
    while left < 1:
        width, top = 0.08 + 0.1 * at.random.random(), 0.15 + 0.4 * at.random.random()
        house = (at.x >= left) & (at.x < left + width) & (at.y > top)
        at.fill(house, "6a7488", 0.8, 0.4)
        at.fill(house & windows, "ffe890")
        left += width
    at.fill(at.y > 0.82, "44484e")


def ocean(at: Canvas) -> None:
    at.sky("2a9ad8", "042c64")
    for _ in range(7):
        x, y = at.random.random(), at.random.random()
        at.fill(abs(at.distance(x, y) - 0.0012) < 0.0004, "b8e8ff")
    at.fill(at.y > 0.9 + 0.03 * at.waves(12, at.variant), "c8b078")


def meadow(at: Canvas) -> None:
    at.sky("8cd0ff", "d8f0ff")
    at.ground("7ccc4c", "3c8c2c", at.horizon)
    for _ in range(16):
        x, y = at.random.random(), at.horizon + 0.05 + at.random.random() * 0.38
        at.fill(at.distance(x, y) < 0.0006, ("ff70a0", "fff070", "ffffff")[at.random.integers(3)])


def mountains(at: Canvas) -> None:
    at.sky("9cc8f0", "e4f0fa")
    near, middle, far = (at.random.random() for _ in range(3))
    for x, top in ((near * 0.4, 0.14), (0.4 + 0.5 * middle, 0.22), (0.2 + 0.6 * far, 0.34)):
        slope = abs(at.x - x) * 1.25
        at.fill(at.y > top + slope, "6a7080", 0.85, 0.3)
        at.fill((at.y > top + slope) & (at.y < top + 0.1 + slope * 0.6), "f8faff")
    at.fill(at.y > 0.86, "5a9a48")


def room(at: Canvas) -> None:
    at.sky("f0dcc0", "e4c8a4")
    at.ground("b07840", "8a5828", 0.72)
    at.fill((at.y > 0.72) & ((at.x * SIDE).astype(int) % 10 == 0), "7a4c20")
    at.fill((at.x > 0.68) & (at.x < 0.92) & (at.y > 0.1) & (at.y < 0.42), "9ad4f4")
    at.fill((abs(at.x - 0.8) < 0.012) & (at.y > 0.1) & (at.y < 0.42), "ffffff")


def lake(at: Canvas) -> None:
    at.sky("f8c8a0", "fce8d4")
    at.ground("3a80b8", "7ab8dc", at.horizon)
    hills = at.horizon - 0.1 - 0.05 * at.waves(6, at.variant)
    at.fill((at.y > hills) & (at.y <= at.horizon), "3c6a4a")
    for depth in at.random.random(7):
        ripple = abs(at.y - (at.horizon + 0.06 + 0.36 * depth)) < 0.006
        at.fill(ripple & (abs(at.x - at.random.random()) < 0.2), "d4ecf8")


_DRAW = (forest, beach, desert, snow, night, space, city, ocean, meadow, mountains, room, lake)


@functools.cache
def backgrounds(seed: int = 0) -> Tensor:
    """Every place in every variant [12, 24, 3, 64, 64] in 0..1, in the order of `words.PLACES`."""
    drawn = {function.__name__: function for function in _DRAW}
    random = np.random.default_rng(seed)
    result: Array = np.zeros((len(PLACES), VARIANTS, SIDE, SIDE, 3), np.float32)
    for variant in range(VARIANTS):
        for number, place in enumerate(PLACES):
            canvas = Canvas(random, variant)
            drawn[place](canvas)
            result[number, variant] = np.clip(canvas.image + canvas.grain, 0, 1)
    return torch.from_numpy(result).permute(0, 1, 4, 2, 3).contiguous()
