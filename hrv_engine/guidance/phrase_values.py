"""Structured Diffusion (arXiv 2212.05032): noun phrases encoded alone lend their values to the whole prompt."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import HRVError
from ..text.alignment import CHUNK, Columns


@dataclass(frozen=True, eq=False)
class LentValues:
    """Rows [columns channels] of a context that replace its own at some columns when values are made of it."""

    columns: Columns
    rows: Tensor


def lent_values(context: Tensor, phrases: Sequence[tuple[Columns, Tensor]]) -> LentValues:
    """The mean over the prompt itself and, for each phrase, the prompt with that phrase's encoding pasted over it.

    to_v is linear, so attention with these values is the mean of the attentions with each, sharing one map. context:
    [1 tokens channels]; phrases: (columns, context of the phrase as a prompt of its own, [1 tokens channels]).
    """
    columns = tuple(sorted({column for own, _ in phrases for column in own}))
    change = torch.zeros_like(context[0])
    for own, phrase in phrases:
        change[list(own)] += _tokens(phrase, len(own)) - context[0, list(own)]
    mean = context[0] + change / (len(phrases) + 1)
    return LentValues(columns, mean[list(columns)])


def _tokens(phrase: Tensor, count: int) -> Tensor:
    """The first `count` semantic rows of a phrase's context."""
    places = [column for column in range(phrase.shape[1]) if column % CHUNK][:count]
    if len(places) < count:
        raise HRVError(f"A phrase of {count} tokens is longer than its own encoding. Shorten it.")
    return phrase[0, places]
