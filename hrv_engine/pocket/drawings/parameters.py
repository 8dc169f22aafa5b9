"""Scenes as tensors, with the small accidents that no caption names: shifts, sizes, the variant of a background."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from .backgrounds import VARIANTS
from .paints import PAINTS, material_of
from .scenes import Scene
from .words import DRAWINGS, LIGHTS, PATTERNS, PLACES, STYLES, WEATHERS

#: Most things in an image.
MOST = 4
SHIFT, STRETCH = 0.05, 0.06
_Numbers = dict[str | None, int]
_DRAWING = {name: number for number, name in enumerate(DRAWINGS)}
_PAINT: _Numbers = {paint: number for number, paint in enumerate((None, *PAINTS))}
_MATERIAL: _Numbers = {paint: material_of(paint) for paint in _PAINT}
_PATTERN: _Numbers = {pattern: number for number, pattern in enumerate((None, *PATTERNS))}
_WHOLE: list[_Numbers] = [
    {word: number for number, word in enumerate((None, *words), start=-1)}
    for words in (tuple(PLACES), WEATHERS, LIGHTS, STYLES)
]


@dataclass(frozen=True)
class Parameters:
    """All the renderer needs of n images, as integers but for x, y and size; −1 stands for "none".

    Of each thing [n, 4]: drawing, paint and pattern (0: none), material (0: none), x, y (half sides from the centre),
    size (share of the side). Of each image [n]: place, weather, light, style, variant (0..23), gray (0..255).
    """

    drawing: Tensor
    paint: Tensor
    material: Tensor
    pattern: Tensor
    x: Tensor
    y: Tensor
    size: Tensor
    place: Tensor
    weather: Tensor
    light: Tensor
    style: Tensor
    variant: Tensor
    gray: Tensor

    def __len__(self) -> int:
        return len(self.place)

    def to(self, device: torch.device | str) -> Parameters:
        """The same parameters on a device."""
        return Parameters(*(getattr(self, field.name).to(device, non_blocking=True) for field in fields(self)))


def parameters(scenes: Sequence[Scene], rng: random.Random) -> Parameters:
    """Parameters of the scenes, on the CPU; shifts, sizes and variants are drawn from `rng`."""
    number = len(scenes)
    things: np.ndarray = np.zeros((number, MOST, 7), np.float32)
    things[:, :, 0] = -1
    things[:, :, 6] = 1
    wholes: np.ndarray = np.zeros((number, 6), np.int64)
    for row, scene in enumerate(scenes):
        for column, thing in enumerate(scene.things):
            things[row, column] = (
                *(_DRAWING[thing.drawing], _PAINT[thing.paint], _MATERIAL[thing.paint], _PATTERN[thing.pattern]),
                *(thing.x, thing.y, thing.size),
            )
        named = zip(_WHOLE, (scene.place, scene.weather, scene.light, scene.style), strict=True)
        wholes[row] = (*(numbers[word] for numbers, word in named), rng.randrange(VARIANTS), rng.randrange(256))
    accident = np.random.default_rng(rng.getrandbits(40)).uniform(-1, 1, (number, MOST, 3)).astype(np.float32)
    things[:, :, 4:6] += SHIFT * accident[:, :, :2]
    things[:, :, 6] *= 1 + STRETCH * accident[:, :, 2]
    integers = torch.from_numpy(things[:, :, :4].astype(np.int64)).unbind(2)
    return Parameters(*integers, *torch.from_numpy(things[:, :, 4:]).unbind(2), *torch.from_numpy(wholes).unbind(1))
