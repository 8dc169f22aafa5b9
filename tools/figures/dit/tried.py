"""Orders of heads tried on single predictions: what is gone of a word's effect when the first heads are weakened."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from .sentences import samples
from .watching import Rows, for_image, latents, predict, text_of

FACTOR = -2.0


def task(
    world: str, concepts: tuple[str, ...], words: int, number: int, orders: dict[str, list[int]], heads: int
) -> dict[str, float]:
    """{order: share of d gone}, d the prediction with the word minus that without, mean over noise levels.

    The first heads of an order are weakened on the prompt's semantic tokens, as HRV Concept Weaken does.
    """
    sample = samples(world, concepts, words)[number]
    asked, plain = text_of(world, sample), text_of(world, sample, without=True)
    total: dict[str, float] = dict.fromkeys(orders, 0.0)
    noisy = latents(world, sample.with_word, 40 + number)
    for x, level in noisy:
        without = predict(world, x, level, plain.context)
        d = predict(world, x, level, asked.context) - without
        for name, order in orders.items():
            weakened = predict(world, x, level, asked.context, _weakened(order[:heads], list(range(1, asked.end))))
            total[name] += 1 - float(((weakened - without) * d).sum() / (d * d).sum())
    return {name: value / len(noisy) for name, value in total.items()}


def _weakened(heads: list[int], columns: list[int]) -> Callable[..., Tensor]:
    def change(site: int, k: Tensor, v: Tensor) -> Rows | None:
        count = k.shape[1]
        own = [head - site * count for head in heads if head // count == site]
        if not own:
            return None
        factors = torch.ones(count, k.shape[2], 1, dtype=v.dtype)
        factors[np.ix_(own, columns)] = FACTOR
        return k, v * factors

    return for_image(change)
