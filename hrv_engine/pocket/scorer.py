"""Scores of the pocket model's images against a word, by the network that reads them."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..errors import HRVError, nearest
from .model import SHIPPED
from .scenes import KINDS, kind_of
from .scoring import CLASSES, Scorer

SIDE = 32  # pixels of the pocket model's images
_PLURALS = {"cherries": "cherry", "crosses": "cross", "peaches": "peach"}


class PocketScorer:
    """The probability that an image of the pocket model shows a word of its world (an object, a colour, a scene ...).

    A colour is that of the most certain object; a word with two senses is the colour, "orange fruit" the thing.
    """

    name = "probability of the word"

    def __init__(self, path: Path = SHIPPED / "scorer.safetensors") -> None:
        self.network = Scorer.load(path)

    def score(self, images: Tensor, text: str) -> np.ndarray:
        """Scores float64 [images]; raises HRVError for a word it cannot read or images that are not 32 x 32."""
        family, number = readable(text)
        if tuple(images.shape[1:3]) != (SIDE, SIDE):
            raise HRVError(
                f"These images are {images.shape[2]} x {images.shape[1]} pixels, but the pocket scorer reads only"
                f" {SIDE} x {SIDE}, the images of HRV Pocket Model as they come from VAE Decode. For other models use"
                " HRV CLIP Scorer."
            )
        with torch.no_grad():
            pixels = images[..., :3].float().cpu().movedim(-1, 1)
            return self.network(pixels)[family][:, number].double().numpy()


def readable(text: str) -> tuple[str, int]:
    """(family, class) of a word the pocket scorer reads; raises HRVError with the legal words."""
    word = " ".join(text.casefold().split())
    for family, names in CLASSES.items():
        if family != "object" and word in names and word not in ("none", "usual"):
            return family, names.index(word)
    for single in (word, _PLURALS.get(word, word.removesuffix("s"))):
        if single in KINDS:
            return "object", KINDS.index(single)
        try:
            return "object", KINDS.index(kind_of(single))
        except ValueError:
            continue
    legal = sorted({name for names in CLASSES.values() for name in names} - {"none", "usual"})
    raise HRVError(
        f'The pocket scorer cannot read "{text}" in an image. Nearest: {nearest(text, legal)}. It reads:'
        f" {', '.join(legal)}."
    )
