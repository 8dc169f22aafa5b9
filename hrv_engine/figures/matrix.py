"""A square matrix as a figure, with labels, a colour scale and, when it is small, the numbers (figure 47)."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .heat_map import INK, WHITE, colours, font

MARGIN, BAR = 14, 18
NUMBERED = 16  # rows up to which the number is written into each cell


def matrix_figure(values: np.ndarray, labels: Sequence[str], title: str) -> np.ndarray:
    """A matrix [n n] with the same labels at rows and columns; uint8 [height width 3].

    Colours run from the smallest entry to the largest, which are beside the bar. An empty label is left out: give
    labels to some rows only when they number something (`sparse_labels`).
    """
    cell = cell_size(len(values))
    text, heading = font(max(9, min(15, round(cell * 0.8)))), font(20)
    if len(set(labels) - {""}) < len(values):  # numbers in places: room enough to be larger than a cell
        text = font(14)
    longest = max(int(text.getlength(label)) for label in labels)
    left, top, side = MARGIN + longest + 8, MARGIN + 34, cell * len(values)
    low, high = float(values.min()), float(values.max())
    width = max(left + side + 20 + BAR + 56, MARGIN + int(heading.getlength(title)) + MARGIN)
    image = Image.new("RGB", (width, top + side + longest + 8 + MARGIN), WHITE)
    draw = ImageDraw.Draw(image)
    draw.text((MARGIN, MARGIN), title, INK, heading)
    shades = colours((values - low) / (high - low or 1))
    image.paste(Image.fromarray(shades.repeat(cell, axis=0).repeat(cell, axis=1)), (left, top))
    if len(values) <= NUMBERED:
        _write_numbers(draw, values, shades, cell, (left, top))
    for number, label in enumerate(labels):
        draw.text((left - 8, top + (number + 0.5) * cell), label, INK, text, anchor="rm")
        _write_upright(image, label, text, left + (number + 0.5) * cell, top + side + 8)
    _draw_bar(image, (left + side + 20, top, side), low, high)
    return np.asarray(image)


def cell_size(rows: int) -> int:
    """Pixels a cell, so that figures of 2 to 100 rows come out between 150 and 1000 pixels."""
    return 52 if rows <= NUMBERED else max(6, min(20, 900 // rows))


def sparse_labels(count: int) -> list[str]:
    """Numbers from 0 for `count` rows, about ten of them written and the others empty."""
    every = next(step for step in (1, 2, 5, 10, 20, 50, 100, count) if count <= 12 * step)
    return [str(number) if number % every == 0 else "" for number in range(count)]


def _write_numbers(
    draw: ImageDraw.ImageDraw, values: np.ndarray, shades: np.ndarray, cell: int, corner: tuple[int, int]
) -> None:
    for (row, column), value in np.ndenumerate(values):
        light = shades[row, column] @ (0.299, 0.587, 0.114) > 128
        place = corner[0] + (column + 0.5) * cell, corner[1] + (row + 0.5) * cell
        draw.text(place, f"{value:.2f}", INK if light else WHITE, font(15), anchor="mm")


def _write_upright(image: Image.Image, label: str, text: ImageFont.FreeTypeFont, x: float, y: int) -> None:
    """A label that reads upwards and ends at (x, y), its middle over x."""
    if not label:
        return
    length, height = int(text.getlength(label)) + 2, int(text.size * 1.4)
    strip = Image.new("RGB", (length, height), WHITE)
    ImageDraw.Draw(strip).text((length, height / 2), label, INK, text, anchor="rm")
    image.paste(strip.rotate(90, expand=True), (round(x - height / 2), y))


def _draw_bar(image: Image.Image, place: tuple[int, int, int], low: float, high: float) -> None:
    x, y, length = place
    ramp = colours(np.linspace(1, 0, length))[:, None].repeat(BAR, axis=1)
    image.paste(Image.fromarray(ramp), (x, y))
    digits = 2 if high - low > 0.1 else 4
    for part in (0.0, 0.5, 1.0):
        value = high - part * (high - low)
        ImageDraw.Draw(image).text(
            (x + BAR + 6, y + part * (length - 1)), f"{value:.{digits}f}", INK, font(13), anchor="lm"
        )
