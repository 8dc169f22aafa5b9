"""Two HRV files side by side as a figure: the cosine of each shared concept's rows (appendix J)."""

import numpy as np
from PIL import Image, ImageDraw

from ..inspection.comparison import Comparison
from .heat_map import INK, WHITE, font
from .plots import PALETTE


def comparison_figure(comparison: Comparison) -> np.ndarray:
    """A dot per shared concept at the cosine of its two rows, sorted, the number beside it; uint8 [height width 3]."""
    changes = sorted(comparison.changes, key=lambda change: -change.cosine)
    low = max(0.0, np.floor(changes[-1].cosine * 20 - 0.2) / 20)
    text, small, line, length = font(14), font(12), 24, 420
    left = 26 + max(int(text.getlength(change.concept)) for change in changes)
    top, bottom = 70, 70 + line * len(changes)
    image = Image.new("RGB", (left + length + 100, bottom + 48), WHITE)
    draw = ImageDraw.Draw(image)
    draw.text((14, 12), "Cosine of each concept's two vectors", INK, font(20))
    draw.text((14, 42), f"{len(changes)} shared concepts; 1: the same direction", INK, small)
    for part in np.linspace(0, 1, 6):
        x = left + part * length
        draw.line((x, top, x, bottom), (225, 225, 230))
        draw.text((x, bottom + 14), f"{low + part * (1 - low):.2f}", INK, small, anchor="mm")
    draw.text((left + length / 2, bottom + 34), "cosine", INK, small, anchor="mm")
    for number, change in enumerate(changes):
        y, x = top + (number + 0.5) * line, left + (change.cosine - low) / (1 - low) * length
        draw.text((left - 12, y), change.concept, INK, text, anchor="rm")
        draw.line((left, y, x, y), (180, 200, 220), 2)
        draw.ellipse((x - 5, y - 5, x + 5, y + 5), PALETTE[0])
        draw.text((left + length + 20, y), f"{change.cosine:.4f}", INK, text, anchor="lm")
    return np.asarray(image)
