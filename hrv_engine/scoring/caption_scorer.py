"""Caption similarity: a captioner's text of the image against the prompt, both embedded by CLIP (section 5.3)."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from torch import Tensor

from ..errors import HRVError


class Captions(Protocol):
    """Anything that says what is in images, such as BLIP-2 in captions.py."""

    def captions(self, images: Tensor) -> list[str]:
        """One caption per image, float32 [images height width 3] in 0..1."""
        ...


class TextEmbedder(Protocol):
    """CLIP's text side, as clip_scorer.py has it."""

    def embed(self, texts: Sequence[str]) -> Tensor:
        """Unit vectors float32 [texts channels] of texts as they are."""
        ...

    def embed_prompt(self, text: str) -> Tensor:
        """Unit vector float32 [channels] of what is asked for."""
        ...


class CaptionScorer:
    """Cosine of CLIP's embeddings of caption and prompt, -1 to 1; `captions` are those of the images scored last."""

    name = "caption similarity"

    def __init__(self, captioner: Captions, texts: TextEmbedder) -> None:
        self.captioner, self.texts = captioner, texts
        self.captions: list[str] = []

    def score(self, images: Tensor, text: str) -> np.ndarray:
        """Scores float64 [images] of images float32 [images height width 3]; raises HRVError for no text."""
        if not text.strip():
            raise HRVError("There is no prompt to compare captions with. Type the prompt the images were drawn from.")
        self.captions = self.captioner.captions(images)
        wanted = self.texts.embed_prompt(text)
        return (self.texts.embed(self.captions) @ wanted).cpu().double().numpy()
