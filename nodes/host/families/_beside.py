"""Word rows in an attention call: the others' attention as if they were not there, and their own beside it."""

from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.nn import functional

from ....hrv_engine.attention.values import join_heads
from ..word_rows import Places, WordRows, apart, together

Parts = tuple[Tensor, Tensor, Tensor]
Rest = Callable[[Parts, dict[str, Any], Tensor], Tensor]


class Beside:
    """One attention call with word rows in it, by head.

    named: all the host gave besides queries, keys and values, `heads` and `mask` among it. others: how many queries and
    keys are not of those rows.
    """

    def __init__(self, rows: WordRows, parts: Parts, named: dict[str, Any]) -> None:
        if not named.get("skip_reshape"):
            dim = parts[0].shape[2:].numel() // named["heads"]
            query, key, value = (by_head(part, dim) for part in parts)
            parts, named = (query, key, value), {**named, "skip_reshape": True}
        self.rows, self.parts, self.named = rows, parts, named
        self.others = parts[0].shape[2] - rows.count, parts[1].shape[2] - rows.count

    def output(self, rest: Rest, places: Places | None = None, unseen: tuple[int, int] | None = None) -> Tensor:
        """The output of the whole call; `rest(parts, named, word keys)` gives that of the others.

        places: where the rows are among queries and keys, None for before all others; unseen: which of the other keys
        they do not see, None for all of them.
        """
        places = places or ((0, self.rows.count),)
        (query, asked), (key, own_key), (value, own_value) = (apart(part, places, 2) for part in self.parts)
        others = rest((query, key, value), self._without_rows(places), self.rows.votes(own_key))
        if unseen is None:
            seen, mask = (own_key, own_value), self.rows.among.to(own_key.dtype)
        else:
            seen, mask = self.parts[1:], self.rows.mask(places, self.others[1], unseen, own_key.dtype)
        own = functional.scaled_dot_product_attention(
            asked, *seen, mask, scale=self.named.get("scale"), enable_gqa=asked.shape[1] != own_key.shape[1]
        )
        if self.named.get("skip_output_reshape"):
            return together(others, own, places, 2)
        return together(others, join_heads(own), places, 1)

    def _without_rows(self, places: Places) -> dict[str, Any]:
        """What the host gave, its mask without the rows."""
        mask: Tensor | None = self.named.get("mask")
        if mask is None:
            return self.named
        for axis, others in zip((-2, -1), self.others, strict=True):
            if mask.ndim >= -axis and mask.shape[axis] == others + self.rows.count:
                mask, _ = apart(mask, places, axis)
        return {**self.named, "mask": mask}


def by_head(part: Tensor, dim: int) -> Tensor:
    """[batch n heads*dim] or [batch n heads dim] -> [batch heads n dim]."""
    return (part if part.ndim == 4 else part.unflatten(2, (-1, dim))).transpose(1, 2)
