"""Rows of concept words in one model call: text that rides beside the prompt and that nobody else sees."""

import math
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor


@dataclass
class WordRows:
    """The rows of a call, the same in every row of the batch or other ones in each.

    embeddings: [batch or 1, rows, channels], of the text encoder; columns: int64 [batch or 1, rows], where each would
    be in a prompt of its word alone, which sets its position; among: [batch or 1, 1, rows, rows], 0 where a row sees
    another and -inf where it does not. kept: what is the same in all calls, by name.
    """

    embeddings: Tensor
    columns: Tensor
    among: Tensor
    kept: dict[Any, Any]
    _masks: dict[Any, Tensor] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many rows there are."""
        return self.columns.shape[1]

    def beside(self, context: Tensor, last: bool) -> Tensor:
        """A context [batch tokens channels] with these rows before it, or after it."""
        rows = self.embeddings.expand(context.shape[0], -1, -1)
        rows = rows if rows.dtype == context.dtype else rows.to(context.dtype)
        return torch.cat((context, rows) if last else (rows, context), dim=1)

    def mask(self, before: int, others: int, unseen: tuple[int, int], dtype: torch.dtype) -> Tensor:
        """What the rows see among the keys of a call: [batch or 1, 1, rows, keys], 0 or -inf.

        before: how many of the `others` keys are before those of the rows; unseen: which of the others they do not see.
        """
        name = before, others, unseen, dtype
        if name not in self._masks:
            first, last = self._others(before, others, unseen)
            mask = torch.cat((first, self.among, last) if before else (self.among, last), dim=-1)
            self._masks[name] = mask if mask.dtype == dtype else mask.to(dtype)
        return self._masks[name]

    def _others(self, before: int, others: int, unseen: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """The columns of `mask` before those of the rows, and after them."""
        name = "mask", before, others, unseen, self.among.shape
        if name not in self.kept:
            seen = self.among.new_zeros(others)
            seen[slice(*unseen)] = -math.inf
            self.kept[name] = seen.expand(*self.among.shape[:3], -1).split((before, others - before), dim=-1)
        return self.kept[name]


def apart(tensor: Tensor, start: int, count: int, axis: int) -> tuple[Tensor, Tensor]:
    """(the others, `count` entries from `start` on) of an axis."""
    after = tensor.shape[axis] - start - count
    if start == 0:
        own, others = tensor.split((count, after), axis)
        return others, own
    if after == 0:
        others, own = tensor.split((start, count), axis)
        return others, own
    first, own, last = tensor.split((start, count, after), axis)
    return torch.cat((first, last), axis), own


def together(others: Tensor, own: Tensor, start: int, axis: int) -> Tensor:
    """The reverse of `apart`."""
    if start == 0:
        return torch.cat((own, others), axis)
    if start == others.shape[axis]:
        return torch.cat((others, own), axis)
    first, last = others.split((start, others.shape[axis] - start), axis)
    return torch.cat((first, own, last), axis)
