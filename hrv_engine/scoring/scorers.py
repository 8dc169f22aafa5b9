"""Scores of images against a word, higher = the word is there: what every scorer has."""

from typing import Protocol

import numpy as np
from torch import Tensor


class ImageScorer(Protocol):
    """Anything that says how much an image shows a word; `name` labels the axis of curves."""

    name: str

    def score(self, images: Tensor, text: str) -> np.ndarray:
        """Scores float64 [images] of images float32 [images height width 3] in 0..1."""
        ...
