"""Captions and scenes of training batches, drawn ahead by other processes: batch k is the same whoever draws it."""

from __future__ import annotations

import multiprocessing
import pickle
import random
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from ..text import Vocabulary
from .captions import draw_caption
from .parameters import Parameters, parameters

#: Batches that each process draws ahead.
AHEAD = 4


@dataclass(frozen=True)
class Batch:
    """n captions as embedding rows [n, 77] with the place of their first end-of-text token [n], and their scenes."""

    rows: Tensor
    ends: Tensor
    scenes: Parameters


def draw_batch(vocabulary: Vocabulary, chance: str, size: int, progress: float, empty: float) -> Batch:
    """Captions of the grammar at this progress, a share `empty` of them replaced by the empty one.

    chance: all that the batch depends on beside; rows are int32, to be small on their way between processes.
    """
    rng = random.Random(chance)
    drawn = [draw_caption(rng, progress) for _ in range(size)]
    encoded = [vocabulary.encode("" if rng.random() < empty else caption.text) for caption in drawn]
    rows, ends = zip(*encoded, strict=True)
    scenes = parameters([caption.scene for caption in drawn], rng)
    return Batch(torch.tensor(rows, dtype=torch.int32), torch.tensor(ends), scenes)


_vocabulary: list[Vocabulary] = []


def _start(words: dict[str, list[int]]) -> None:
    torch.set_num_threads(1)
    _vocabulary.append(Vocabulary(words))


def _drawn(chance: str, size: int, progress: float, empty: float) -> bytes:
    """A batch as bytes: tensors of their own would be handed over as open files, which run out."""
    return pickle.dumps(draw_batch(_vocabulary[0], chance, size, progress, empty))


class Batches:
    """Batches in the order of their numbers; with 0 processes each is drawn when it is asked for."""

    def __init__(
        self, vocabulary: Vocabulary, seed: int, size: int, empty: float,
        pool: Executor | None = None, ahead: int = 0,
    ) -> None:  # fmt: skip
        self.vocabulary, self.seed, self.size, self.empty = vocabulary, seed, size, empty
        self.pool, self.ahead = pool, ahead
        self._waiting: deque[tuple[int, Future[bytes]]] = deque()

    def take(self, number: int, progress: float) -> Batch:
        """Batch `number`; those that follow it are begun at this progress of the grammar."""
        if self.pool is None:
            return draw_batch(self.vocabulary, self._chance(number), self.size, progress, self.empty)
        while self._waiting and self._waiting[0][0] != number:
            self._waiting.popleft()
        following = self._waiting[-1][0] + 1 if self._waiting else number
        for later in range(following, number + self.ahead + 1):
            begun = self.pool.submit(_drawn, self._chance(later), self.size, progress, self.empty)
            self._waiting.append((later, begun))
        return pickle.loads(self._waiting.popleft()[1].result())

    def _chance(self, number: int) -> str:
        return f"{self.seed}/batch {number}"


@contextmanager
def drawing(vocabulary: Vocabulary, seed: int, size: int, empty: float, processes: int) -> Iterator[Batches]:
    """Batches that so many processes draw ahead."""
    if not processes:
        yield Batches(vocabulary, seed, size, empty)
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(processes, context, _start, (vocabulary.words,))
    try:
        yield Batches(vocabulary, seed, size, empty, pool, AHEAD * processes)
    finally:
        pool.shutdown(cancel_futures=True)
