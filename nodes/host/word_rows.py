"""Rows of concept words in one model call: text that rides beside the prompt and that nobody else sees."""

import math
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

Places = tuple[tuple[int, int], ...]  # before which of the other tokens so many rows are, in order


@dataclass
class WordRows:
    """The rows of a call, the same in every row of the batch or other ones in each.

    embeddings: [batch or 1, words' tokens, channels], of the text encoder; columns: int64 [batch or 1, words' tokens],
    where each would be in a prompt of its word alone, which sets its position; among: [batch or 1, 1, rows, rows], 0
    where a row sees another and -inf where it does not. kept: what is the same in all calls, by name. voting: int64
    [batch or 1, words' tokens], whose keys are those of each token where it has several rows; None where it has one.
    """

    embeddings: Tensor
    columns: Tensor
    among: Tensor
    kept: dict[Any, Any]
    voting: Tensor | None = None
    _masks: dict[Any, Tensor] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many rows there are."""
        return self.among.shape[-1]

    def beside(self, context: Tensor, last: bool) -> Tensor:
        """A context [batch tokens channels] with these rows before it, or after it."""
        rows = self.embeddings.expand(context.shape[0], -1, -1)
        rows = rows if rows.dtype == context.dtype else rows.to(context.dtype)
        return torch.cat((context, rows) if last else (rows, context), dim=1)

    def votes(self, keys: Tensor) -> Tensor:
        """Of the keys of all rows [batch heads rows dim] those of the words' tokens."""
        if self.voting is None:
            return keys
        index = self.voting[:, None, :, None].expand(len(keys), keys.shape[1], -1, keys.shape[3])
        return keys.gather(2, index)

    def mask(self, places: Places, others: int, unseen: tuple[int, int], dtype: torch.dtype) -> Tensor:
        """What the rows see among the keys of a call: [batch or 1, 1, rows, keys], 0 or -inf.

        others: how many of the keys are not of rows; unseen: which of these they do not see.
        """
        name = places, others, unseen, dtype
        if name not in self._masks:
            mask = together(self._others(others, unseen), self.among, places, -1)
            self._masks[name] = mask if mask.dtype == dtype else mask.to(dtype)
        return self._masks[name]

    def _others(self, others: int, unseen: tuple[int, int]) -> Tensor:
        """The columns of `mask` that are of other keys."""
        name = "mask", others, unseen, self.among.shape
        if name not in self.kept:
            seen = self.among.new_zeros(others)
            seen[slice(*unseen)] = -math.inf
            self.kept[name] = seen.expand(*self.among.shape[:3], -1)
        return self.kept[name]


def apart(tensor: Tensor, places: Places, axis: int) -> tuple[Tensor, Tensor]:
    """(the others, the rows) of an axis."""
    cuts = _cuts(places, tensor.shape[axis] - sum(count for _, count in places))
    parts: tuple[list[Tensor], list[Tensor]] = [], []
    for (own, _), part in zip(cuts, tensor.split([size for _, size in cuts], axis), strict=True):
        parts[own].append(part)
    return _joined(parts[False], axis), _joined(parts[True], axis)


def together(others: Tensor, rows: Tensor, places: Places, axis: int) -> Tensor:
    """The reverse of `apart`."""
    cuts = _cuts(places, others.shape[axis])
    parts = {
        own: iter(_split(rows if own else others, [n for of, n in cuts if of == own], axis)) for own in (False, True)
    }
    return torch.cat([next(parts[own]) for own, _ in cuts], axis)


def _cuts(places: Places, others: int) -> list[tuple[bool, int]]:
    """(whether they are of rows, how many) of all tokens in order."""
    cuts, done = list[tuple[bool, int]](), 0
    for start, count in places:
        cuts += [(False, start - done), (True, count)]
        done = start
    return [(own, size) for own, size in (*cuts, (False, others - done)) if size]


def _split(tensor: Tensor, sizes: list[int], axis: int) -> tuple[Tensor, ...]:
    return (tensor,) if len(sizes) == 1 else tensor.split(sizes, axis)


def _joined(parts: list[Tensor], axis: int) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts, axis)
