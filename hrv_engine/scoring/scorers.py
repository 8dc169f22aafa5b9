"""Scores of pictures against a word, higher = the word is there: what every scorer has."""

from typing import Protocol

import numpy as np
from torch import Tensor


class ImageScorer(Protocol):
    """Anything that says how much a picture shows a word; `name` stands on the axis of curves."""

    name: str

    def score(self, images: Tensor, text: str) -> np.ndarray:
        """Scores float64 [images] of pictures float32 [images height width 3] in 0..1."""
        ...
