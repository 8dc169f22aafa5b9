"""Scores of the pocket models' images against a word, by the network that reads them: one for each size of image."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..errors import HRVError, nearest
from .drawings.bank import SIDE as DRAWINGS_SIDE
from .drawings.reading import Senses, read_senses, word_shown
from .drawings.scorer import SHIPPED_SCORER
from .drawings.scorer import Scorer as DrawingsScorer
from .model import SHIPPED
from .scenes import KINDS, kind_of
from .scoring import CLASSES, Scorer, SeenSenses, read_polysemous

SIDE = 32  # pixels of the images of squares
_PLURALS = {"cherries": "cherry", "crosses": "cross", "peaches": "peach"}


class PocketScorer:
    """The probability that an image of a pocket model shows a word of its world (an object, a colour, a scene ...).

    Images of 32 x 32 pixels are squares: a colour is that of the most certain object, a word with two senses is the
    colour, "orange fruit" the thing. Images of 64 x 64 pixels are drawings, read as in `drawings.reading`.
    """

    name = "probability of the word"

    def __init__(self, path: Path = SHIPPED / "scorer.safetensors") -> None:
        self.network = Scorer.load(path)

    @cached_property
    def network_of_drawings(self) -> DrawingsScorer:
        """Reads images of drawings; loaded when the first is scored."""
        return DrawingsScorer.load(SHIPPED_SCORER)

    @torch.no_grad()
    def read(self, images: Tensor) -> dict[str, Tensor]:
        """Everything seen, probabilities by family [images classes]; images [images height width 3] in 0..1."""
        drawings = images.shape[1] == DRAWINGS_SIDE
        return (self.network_of_drawings if drawings else self.network)(_pixels(images))

    def score(self, images: Tensor, text: str) -> np.ndarray:
        """Scores float64 [images]; raises HRVError for a word it cannot read or images of another size."""
        size = tuple(images.shape[1:3])
        pixels = _pixels(images)
        if size == (DRAWINGS_SIDE, DRAWINGS_SIDE):
            return word_shown(self.network_of_drawings(pixels), text).double().numpy()
        family, number = readable(text)
        if size != (SIDE, SIDE):
            raise HRVError(
                f"These images are {images.shape[2]} x {images.shape[1]} pixels, but the pocket scorer reads only"
                f" {SIDE} x {SIDE} and {DRAWINGS_SIDE} x {DRAWINGS_SIDE}, the images of HRV Pocket Model as they come"
                " from VAE Decode. For other models use HRV CLIP Scorer."
            )
        return self.network(pixels)[family][:, number].double().numpy()

    def senses(self, images: Tensor, asked: Mapping[str, str]) -> SeenSenses | Senses:
        """How images of a prompt of a `polysemous` benchmark were read; images [images height width 3] in 0..1."""
        if images.shape[1] == DRAWINGS_SIDE:
            return read_senses(self.read(images), asked["color"], asked["noun"])
        return read_polysemous(self.read(images), asked)


def _pixels(images: Tensor) -> Tensor:
    return images[..., :3].float().cpu().movedim(-1, 1)


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
