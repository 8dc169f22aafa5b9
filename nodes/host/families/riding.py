"""Joint families in whose text concept words can ride: rows beside the prompt's, at positions of their own.

A row goes through every layer as a prompt's token does. It sees its own word and the image, and references with it, as
it would in a run of its own; nobody else sees it. Its position is the one its word has in a prompt of its own, and all
other positions are what they are without it.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from typing import Any

import torch
from torch import Tensor

from ..calls import ModelCall
from ..word_rows import Places, WordRows
from .layers import Segments
from .transformer import JointTransformer


class Riding(JointTransformer):
    """Words come first among the text, or last where the text is the end of the sequence.

    text_masks: which inputs of the model have a value a token of the text.
    """

    words_last = False
    text_masks: tuple[str, ...] = ()

    def words_ride(self, module: Any) -> bool:
        return True

    def row_multiple(self, module: Any) -> int:
        """Of what the number of rows must be a multiple, so that the host pads the text as it would without them."""
        return 1

    def embedder(self, module: Any) -> Any:
        """The module that embeds positions [batch tokens axes], None where the text has none."""
        return None

    def tokens_of(self, inputs: Mapping[str, Any], tokens: int, columns: Collection[int]) -> tuple[Tensor, list[int]]:
        """Embeddings [tokens channels] of a word's tokens in a prompt of its own, and where they are in it.

        inputs: of that prompt, as the host prepared them; tokens: of its text; columns: of the word in that.
        """
        context = inputs["c_crossattn"].cond
        places = self.token_columns(context.shape[1], tokens, columns)[: len(columns)]
        return context[0, places], places

    def rows(self, words: WordRows) -> WordRows:
        """The rows that the tokens of words have in a call: here one each."""
        return words

    def with_words(self, call: ModelCall, context: Tensor, inputs: dict[str, Any]) -> tuple[Tensor, dict[str, Any]]:
        """Context and other inputs of the model with the word rows."""
        rows, widened = rows_of(call), {}
        for name in self.text_masks:
            if (mask := inputs.get(name)) is not None:
                kept = torch.zeros if mask.is_floating_point() else torch.ones  # a number to add, or 1 for a token
                own = kept(mask.shape[0], rows.count, dtype=mask.dtype, device=mask.device)
                widened[name] = torch.cat((mask, own) if self.words_last else (own, mask), dim=1)
        return rows.beside(context, self.words_last), {**inputs, **widened}

    def words_at(self, call: ModelCall, segments: Segments) -> tuple[Places, tuple[int, int]]:
        """Where the rows are among the keys of a site, and which of the other keys they do not see: the prompt's.

        segments: of a call without them.
        """
        prompt = segments.prompt
        start = prompt.stop if self.words_last else prompt.start
        return ((start, rows_of(call).count),), (prompt.start, prompt.stop)

    @contextmanager
    def riding(self, call: ModelCall) -> Iterator[None]:
        embedder = None if call.words is None else self.embedder(call.module)
        if embedder is None:
            yield
            return
        numbers = count()

        def pin(module: Any, positions: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            return self.pinned(call, positions[0], next(numbers)), *positions[1:]

        hook = embedder.register_forward_pre_hook(pin)
        try:
            yield
        finally:
            hook.remove()

    def pinned(self, call: ModelCall, positions: Tensor, number: int) -> Tensor:
        """Positions [batch tokens axes] of all tokens as they would be without the word rows, whose own are set.

        number: of the embedder's calls in this call of the model, from 0.
        """
        return self.moved(call, positions, self.text(call))

    def moved(self, call: ModelCall, positions: Tensor, text: int, before: int = 0) -> Tensor:
        """Positions in which `text` tokens have the first of those that are the text's, and each row its column's.

        positions: [batch tokens ...], or what a model makes of them. before: how many tokens are before the text.
        """
        rows, length = rows_of(call), positions.shape[1]
        own = rows.columns + before if before else rows.columns
        first, last = call.run.made(
            ("positions", length, text, before, rows.count),
            lambda: self._others(length, text, before, rows.count, positions.device),
        )
        if len(own) == 1:
            return positions[:, torch.cat((first, own[0], last))]
        index = torch.cat((first.expand(len(own), -1), own, last.expand(len(own), -1)), dim=1)
        every = torch.arange(len(index), device=index.device)[:, None]
        return positions.expand(len(index), *positions.shape[1:])[every, index]

    def _others(self, length: int, text: int, before: int, rows: int, device: Any) -> tuple[Tensor, Tensor]:
        """Where the positions of all other tokens are, of those before the rows and of those after them."""
        every = torch.arange(length, device=device)
        end = before + text
        first, text_after = (every[:end], every[:0]) if self.words_last else (every[:before], every[before:end])
        return first, torch.cat((text_after, every[end + rows :]))


def rows_of(call: ModelCall) -> WordRows:
    """The word rows of a call in which some ride."""
    assert call.words is not None
    return call.words
