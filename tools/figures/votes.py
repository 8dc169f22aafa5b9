"""One long build of the pocket model whose votes are kept apart: by draw, image and step."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import torch
from torch import Tensor

from ...hrv_engine.relevance.voting import WordSampler
from ...nodes.host.recording import VoteRecorder
from ...nodes.host.unet import layout_of
from ...nodes.host.words import encode, word_bank
from . import session
from .subjects import SQUARES


class DetailedRecorder(VoteRecorder):
    """A VoteRecorder that keeps the votes of every image and step apart: int8 [images steps concepts heads]."""

    def begin(self, images: list[int], uncounted: Collection[int] = ()) -> None:
        """Start the next batch."""
        super().begin(images, uncounted)
        shape = (len(images), self.steps or 1, len(self.sampler.bank.spans), self.layout.total)
        self.detail: np.ndarray = np.zeros(shape, np.int8)

    def count(self, chosen: Tensor, steps: list[int], images: list[int]) -> None:
        """Keep the choices [images calls heads draws], a step a call."""
        heads = np.arange(self.layout.total)
        for row, of_image in zip(images, chosen.cpu().numpy(), strict=True):
            for step, of_call in zip(steps, of_image, strict=True):
                for of_draw in of_call.T:
                    self.detail[self.images.index(row), step, of_draw, heads] += 1


def task(texts: list[str], first: int, draws: int, seed: int) -> np.ndarray:
    """Draw one batch, images `first` onwards, and return its votes, int8 [draws images steps concepts heads]."""
    model, clip, _ = session.pocket()
    bank, layout = word_bank(clip, session.concepts()), layout_of(model)
    recorders = [DetailedRecorder(WordSampler(bank, seed + draw), layout, SQUARES.steps) for draw in range(draws)]
    watched = model
    for recorder in recorders:
        recorder.begin(list(range(first, first + len(texts))))
        watched = recorder.attach(watched)
    positive = [[torch.cat([encode(clip, text)[0][0] for text in texts]), {}]]
    session.draw(watched, positive, encode(clip, ""), seed + first, len(texts))
    for recorder in recorders:
        recorder.finish()
    return np.stack([recorder.detail for recorder in recorders])
