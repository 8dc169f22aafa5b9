"""Minimum object similarity: an image is as good as its worst object (section 5.3, after Attend-and-Excite)."""

import re

import numpy as np
from torch import Tensor

from ..errors import HRVError
from .scorers import ImageScorer

AND = re.compile(r"(?<![\w-])and(?![\w-])", re.IGNORECASE)  # the word, not the one in black-and-white
JOINT = re.compile(rf",\s*{AND.pattern}|,|{AND.pattern}", re.IGNORECASE)


class MinObjectScorer:
    """The lowest score of an image over the parts of a prompt around "and", by another scorer."""

    def __init__(self, inner: ImageScorer) -> None:
        self.inner = inner
        self.name = f"minimum over objects: {inner.name}"

    def score(self, images: Tensor, text: str) -> np.ndarray:
        """Scores float64 [images]; raises HRVError for a prompt without "and", and what the other scorer raises."""
        return np.min([self.inner.score(images, part) for part in sub_prompts(text)], axis=0)


def sub_prompts(text: str) -> list[str]:
    """The parts of "a cat, a dog and a bird" in their order; raises HRVError if no "and" is between two parts."""
    parts = [part.strip() for part in JOINT.split(" ".join(text.split()))]
    if not AND.search(text) or not all(parts):
        raise HRVError(
            f'"{text}" is not split into objects: there must be something before and after each "and" or comma, as in'
            ' "a cat and a dog". Score a prompt of one object as a whole.'
        )
    return parts
