"""The drawings as images: every emoji in three drawn styles, 64×64 RGBA."""

from __future__ import annotations

import functools

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from .words import DRAWINGS, FOLDER

SIDE = 64
#: Files of the three drawn styles: the usual one, that of "flat" and that of "cartoon" pictures.
SHEETS = ("round", "flat", "outlined")


@functools.cache
def bank() -> Tensor:
    """All drawings [drawings, 3 styles, 4, 64, 64] uint8: red, green, blue, alpha."""
    styles = []
    for name in SHEETS:
        sheet = np.asarray(Image.open(FOLDER / f"{name}.webp").convert("RGBA"))
        rows, columns = sheet.shape[0] // SIDE, sheet.shape[1] // SIDE
        cells = sheet.reshape(rows, SIDE, columns, SIDE, 4).transpose(0, 2, 4, 1, 3)
        styles.append(cells.reshape(rows * columns, 4, SIDE, SIDE)[: len(DRAWINGS)])
    return torch.from_numpy(np.stack(styles, axis=1))
