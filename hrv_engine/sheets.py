"""Picture sheets: a labelled grid of images."""

import numpy as np
from PIL import Image, ImageDraw

from .figures import INK, PAPER, font

GAP, LEAST_CELL = 6, 96


def sheet(images: np.ndarray, row_labels: list[str], column_labels: list[str]) -> np.ndarray:
    """Images uint8 [rows*columns height width 3], row by row, with labels at the left and on top; uint8 [H W 3].

    Small images are enlarged by whole factors, without smoothing, so that labels fit.
    """
    rows, columns = len(row_labels), len(column_labels)
    if len(images) != rows * columns:
        raise ValueError(f"{len(images)} images do not fill a grid of {rows} x {columns}")
    zoom = max(1, -(-LEAST_CELL // images.shape[2]))
    height, width = images.shape[1] * zoom, images.shape[2] * zoom
    text = font(max(14, min(28, width // 12)))
    left = 2 * GAP + max((int(text.getlength(label)) for label in row_labels), default=0)
    top = 2 * GAP + int(text.size * 1.3)
    canvas = Image.new("RGB", (left + columns * (width + GAP), top + rows * (height + GAP)), PAPER)
    draw = ImageDraw.Draw(canvas)
    for column, label in enumerate(column_labels):
        draw.text((left + column * (width + GAP) + width / 2, top / 2), label, INK, text, anchor="mm")
    for row, label in enumerate(row_labels):
        y = top + row * (height + GAP)
        draw.text((GAP, y + height / 2), label, INK, text, anchor="lm")
        for column in range(columns):
            picture = Image.fromarray(images[row * columns + column]).resize((width, height), Image.Resampling.NEAREST)
            canvas.paste(picture, (left + column * (width + GAP), y))
    return np.asarray(canvas)
