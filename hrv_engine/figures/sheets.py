"""Image sheets: a labelled grid of images."""

import numpy as np
from PIL import Image, ImageDraw

from .heat_map import INK, WHITE, font

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
    canvas = Image.new("RGB", (left + columns * (width + GAP), top + rows * (height + GAP)), WHITE)
    draw = ImageDraw.Draw(canvas)
    for column, label in enumerate(column_labels):
        draw.text((left + column * (width + GAP) + width / 2, top / 2), label, INK, text, anchor="mm")
    for row, label in enumerate(row_labels):
        y = top + row * (height + GAP)
        draw.text((GAP, y + height / 2), label, INK, text, anchor="lm")
        for column in range(columns):
            image = Image.fromarray(images[row * columns + column]).resize((width, height), Image.Resampling.NEAREST)
            canvas.paste(image, (left + column * (width + GAP), y))
    return np.asarray(canvas)


def tiles(images: np.ndarray, captions: list[str], columns: int) -> np.ndarray:
    """Images uint8 [n height width 3] side by side, `columns` in a row, each above its caption; uint8 [H W 3].

    A caption may have several lines; small images are enlarged as in `sheet`.
    """
    if len(images) != len(captions):
        raise ValueError(f"{len(captions)} captions do not fit {len(images)} images")
    zoom = max(1, -(-LEAST_CELL // images.shape[2]))
    height, width = images.shape[1] * zoom, images.shape[2] * zoom
    text = font(max(12, min(28, width // 12)))
    widest = max(int(text.getlength(line)) for caption in captions for line in caption.split("\n"))
    lines = max(caption.count("\n") + 1 for caption in captions)
    cell, below = max(width, widest) + 2 * GAP, int(text.size * 1.25 * lines) + 2 * GAP
    rows = -(-len(images) // columns)
    canvas = Image.new("RGB", (min(columns, len(images)) * cell, rows * (height + below)), WHITE)
    draw = ImageDraw.Draw(canvas)
    for number, (tile, caption) in enumerate(zip(images, captions, strict=True)):
        x, y = number % columns * cell, number // columns * (height + below)
        image = Image.fromarray(tile).resize((width, height), Image.Resampling.NEAREST)
        canvas.paste(image, (x + (cell - width) // 2, y + GAP))
        draw.multiline_text((x + cell / 2, y + GAP + height + 3), caption, INK, text, anchor="ma", align="center")
    return np.asarray(canvas)
