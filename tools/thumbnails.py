"""The image of a workflow in ComfyUI's template browser: workflows/<name>.jpg."""

from __future__ import annotations

import math
from pathlib import Path

from PIL import Image

from hrv_engine.paths import WORKFLOWS

SIDE = 400


def write_thumbnail(name: str, images: list[Image.Image]) -> Path:
    """Tile images of one size into a square and write it beside the workflow."""
    columns = math.ceil(math.sqrt(len(images) * images[0].height / images[0].width))
    rows = math.ceil(len(images) / columns)
    width, height = images[0].size
    ground = images[0].getpixel((0, 0))
    sheet = Image.new("RGB", (columns * width, rows * height), ground)
    for index, image in enumerate(images):
        sheet.paste(image, (index % columns * width, index // columns * height))
    sheet.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    square = Image.new("RGB", (SIDE, SIDE), ground)
    square.paste(sheet, ((SIDE - sheet.width) // 2, (SIDE - sheet.height) // 2))
    path = WORKFLOWS / f"{name}.jpg"
    square.save(path, quality=85)
    return path
