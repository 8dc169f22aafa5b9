"""Parameters to images on any device: background, things, weather, light, style, each where an image has it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .backgrounds import backgrounds
from .bank import SIDE, bank
from .effects import LIGHT, WEATHER
from .parameters import MOST, Parameters
from .styles import FILTERS, Layers
from .surfaces import GRID_Y, Surfaces, column
from .words import STYLES

#: Things below this share of the side are blurred before they are scaled down.
BLURRED_BELOW = 0.6
#: The sheet of the bank that a style is drawn with; all others use sheet 0.
_HAND = {"flat": 1, "cartoon": 2}


class Renderer:
    """Draws scenes on one device; about a thousand images a second on a CPU core."""

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        self.bank = bank().to(device)
        self.backgrounds = backgrounds().to(device)
        self.surfaces = Surfaces(device)
        self.down = GRID_Y.to(device)
        self.hands = torch.tensor([_HAND.get(style, 0) for style in STYLES] + [0], device=device)  # −1: no style
        blur = torch.tensor([[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]], device=device) / 16
        self.blur = blur.expand(4, 1, 3, 3)

    @torch.no_grad()
    def __call__(self, given: Parameters) -> Tensor:
        """Images [n, 3, 64, 64] in 0..1, on the renderer's device."""
        given = given.to(self.device)
        background = self._background(given)
        image, cover = background, torch.zeros_like(background[:, :1])
        for number in range(MOST):
            rows = (given.drawing[:, number] >= 0).nonzero()[:, 0]
            if not len(rows):
                continue
            color, alpha = self._thing(given, rows, number).split((3, 1), dim=1)
            image = image.index_copy(0, rows, image[rows] * (1 - alpha) + color)
            cover = cover.index_copy(0, rows, cover[rows] * (1 - alpha) + alpha)
        for asked, effects in ((given.weather, WEATHER), (given.light, LIGHT)):
            for number, effect in enumerate(effects):
                rows = (asked == number).nonzero()[:, 0]
                if len(rows):
                    image = image.index_copy(0, rows, effect(image[rows], given.variant[rows].float()))
        image = image.clamp(0, 1)
        for style, apply in FILTERS.items():
            rows = (given.style == STYLES.index(style)).nonzero()[:, 0]
            if len(rows):
                filtered = apply(image[rows], Layers(background[rows], cover[rows]))
                image = image.index_copy(0, rows, filtered)
        return image.clamp(0, 1)

    def _background(self, given: Parameters) -> Tensor:
        """The place's image, or pale gray that darkens downwards, [n, 3, 64, 64]."""
        plain = column(0.90 + 0.08 * (given.gray.float() / 255)) - 0.05 * (self.down / SIDE)
        place = self.backgrounds[given.place.clamp(min=0), given.variant]
        return torch.where(column(given.place >= 0), place, plain)

    def _thing(self, given: Parameters, rows: Tensor, number: int) -> Tensor:
        """Thing `number` of the images `rows`, in its place, [rows, 4, 64, 64] with colours times alpha."""
        hand = self.hands[given.style[rows]]
        color, alpha = (self.bank[given.drawing[rows, number], hand].float() / 255).split((3, 1), dim=1)
        paint, material, pattern = (value[rows, number] for value in (given.paint, given.material, given.pattern))
        painted = paint.nonzero()[:, 0]
        if len(painted):
            new = self.surfaces.paint(color[painted], alpha[painted], paint[painted], material[painted])
            color = color.index_copy(0, painted, new)
        covered = pattern.nonzero()[:, 0]
        if len(covered):
            new = self.surfaces.cover(color[covered], alpha[covered], pattern[covered])
            color = color.index_copy(0, covered, new)
        alpha = alpha * column(self.surfaces.opacity[material])
        drawn = torch.cat([color * alpha, alpha], dim=1)
        size = given.size[rows, number]
        small = (size < BLURRED_BELOW).nonzero()[:, 0]
        if len(small):
            drawn = drawn.index_copy(0, small, F.conv2d(drawn[small], self.blur, padding=1, groups=4))
        to_drawing = torch.zeros(len(rows), 2, 3, device=self.device)
        to_drawing[:, 0, 0] = to_drawing[:, 1, 1] = 1 / size
        to_drawing[:, 0, 2] = -given.x[rows, number] / size
        to_drawing[:, 1, 2] = -given.y[rows, number] / size
        points = F.affine_grid(to_drawing, list(drawn.shape), align_corners=False)
        return F.grid_sample(drawn, points, align_corners=False, padding_mode="zeros")
