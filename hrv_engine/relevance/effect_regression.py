"""Heads by effect without a gradient: heads switched in random groups, and the line through what comes of it.

    y_k = (f(1 + D s_k) - f(1 - D s_k)) / 2D = <s_k, g> + terms of third order,   s_k in {-1, 1}^heads

A pair of opposite switchings cancels what is even in them. The s_k are rows of a Hadamard matrix: all of them together
are orthogonal, so that for a linear f the estimate is exact; a random part of them gives an error that is known.
"""

from dataclasses import dataclass

import numpy as np

SWITCH = 1.0  # D: a head is off (0) or counts twice (2)


@dataclass(frozen=True)
class Switchings:
    """signs: float32 [pairs heads], -1 or 1: rows of an orthogonal design that has `size` of them."""

    signs: np.ndarray
    size: int

    @property
    def whole(self) -> bool:
        """Whether all rows of the design are there."""
        return len(self.signs) == self.size

    @classmethod
    def of(cls, heads: int, pairs: int, key: tuple[int, ...]) -> "Switchings":
        """`pairs` rows chosen by a counter-based generator from the design for so many heads; 0, or too many: all."""
        size = 1 << (heads + 1).bit_length()
        generator = np.random.default_rng(key)
        columns = generator.permutation(size - 1)[:heads] + 1  # column 0 is constant
        rows = generator.permutation(size)[: pairs if 0 < pairs < size else size]
        return cls(np.where(_odd_bits(rows[:, None] & columns[None]), -1, 1).astype(np.float32), size)

    def estimate(self, slopes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Effects of the heads and their squared standard errors, float64 [heads], from y [pairs]."""
        pairs, heads = self.signs.shape
        signs: np.ndarray = self.signs.astype(np.float64)
        effects = signs.T @ slopes / pairs
        if self.whole:  # the other heads do not disturb: what is left is not linear
            left = float(((slopes - signs @ effects) ** 2).sum()) / (pairs - heads)
            return effects, np.full(heads, left / pairs)
        spread = np.maximum((slopes**2).mean() - effects**2, 0)
        return effects, spread / pairs * (1 - pairs / self.size)  # rows are drawn without putting them back


def _odd_bits(numbers: np.ndarray) -> np.ndarray:
    """Whether a number below 2^32 has an odd number of ones: the signs of Sylvester's Hadamard matrix."""
    for shift in (16, 8, 4, 2, 1):
        numbers = numbers ^ (numbers >> shift)
    return (numbers & 1).astype(bool)
