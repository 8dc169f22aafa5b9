"""A labelled matrix as a picture (figure 47): cosines of concepts or of timesteps."""

import numpy as np
from PIL import Image, ImageDraw

from .figures import INK, PAPER, colours, font

NUMBERED = 16  # up to so many rows, every cell carries its number
LABELS = 40  # beyond that, only every fifth row and column is labelled


def matrix_figure(matrix: np.ndarray, names: list[str], title: str) -> np.ndarray:
    """Cells of [n n] in viridis, from the least off-diagonal value to 1, beside their scale; uint8 [height width 3]."""
    count = len(matrix)
    cell = 46 if count <= NUMBERED else 24 if count <= LABELS else 12
    text, heading, number = font(15 if cell > 20 else 13), font(20), font(13)
    labelled = range(count) if count <= LABELS else range(0, count, 5)
    longest = max(int(text.getlength(names[index])) for index in labelled)
    left, top, right = longest + 24, longest + 54, 92
    image = Image.new("RGB", (left + count * cell + right, top + count * cell + 16), PAPER)
    draw = ImageDraw.Draw(image)
    draw.text((12, 10), title, INK, heading)
    least = float(matrix[~np.eye(count, dtype=bool)].min()) if count > 1 else 0.0
    shades = colours((matrix - least) / max(1 - least, 1e-9))
    for row in range(count):
        for column in range(count):
            x, y, shade = left + column * cell, top + row * cell, tuple(int(part) for part in shades[row, column])
            draw.rectangle((x, y, x + cell - 2, y + cell - 2), shade)
            if count <= NUMBERED:
                ink = INK if sum(shade) > 330 else PAPER
                label = f"{matrix[row, column]:.2f}"
                draw.text((x + cell / 2 - 1, y + cell / 2 - 1), label, ink, number, anchor="mm")
    for index in labelled:
        middle = index * cell + cell / 2 - 1
        draw.text((left - 8, top + middle), names[index], INK, text, anchor="rm")
        _upright(image, names[index], (left + middle, top - 8), text)
    _scale(image, left + count * cell + 16, top, count * cell - 2, least, number)
    return np.asarray(image)


def _upright(image: Image.Image, label: str, foot: tuple[float, float], text: object) -> None:
    """A label that reads upwards, its end at `foot`."""
    box = font(getattr(text, "size", 13)).getbbox(label)
    strip = Image.new("RGB", (int(box[2]) + 4, int(getattr(text, "size", 13) * 1.4)), PAPER)
    ImageDraw.Draw(strip).text((2, strip.height / 2), label, INK, text, anchor="lm")  # type: ignore[arg-type]
    turned = strip.rotate(90, expand=True)
    image.paste(turned, (int(foot[0] - turned.width / 2), int(foot[1] - turned.height)))


def _scale(image: Image.Image, x: int, y: int, length: int, least: float, text: object) -> None:
    ramp = colours(np.linspace(1, 0, length))[:, None].repeat(14, axis=1)
    image.paste(Image.fromarray(ramp), (x, y))
    for value, place in ((1.0, 0.0), ((1 + least) / 2, 0.5), (least, 1.0)):
        at = (x + 20, y + place * (length - 1))
        ImageDraw.Draw(image).text(at, f"{value:.2f}", INK, text, anchor="lm")  # type: ignore[arg-type]
