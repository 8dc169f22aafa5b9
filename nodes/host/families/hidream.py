"""HiDream: [image, prompt of T5, of Llama, of Llama at this layer] in double and single blocks."""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ....hrv_engine.attention.heads import JOINT
from ..calls import ModelCall
from ..word_rows import Places, WordRows
from .layers import Layer, Segments, layer
from .riding import Riding, rows_of
from .transformer import ImageFirst

LLAMA = "encoder_hidden_states_llama3"  # the host's name of all its layers [batch layers tokens channels]


class HiDream(ImageFirst, Riding):
    """The host's HiDream. Columns of Llama come after those of T5; both of its copies are meant.

    A token of a word that rides has a row in each of the three texts. It is seen in those it is of, which its column
    says: 0 for T5, 1 for Llama. No text has positions.
    """

    name = "HiDream"
    classes = ("comfy.ldm.hidream.model.HiDreamImageTransformer2DModel",)

    def layers(self, module: Any) -> Iterator[Layer]:
        for part, blocks in (("double", module.double_stream_blocks), ("single", module.single_stream_blocks)):
            for number, wrapped in enumerate(blocks):
                attention = wrapped.block.attn1
                weight = attention.to_k.weight
                yield layer(part, number, attention.heads, attention.inner_dim, attention, weight, JOINT)

    def patch(self, module: Any) -> Sequence[int]:
        return (module.patch_size, module.patch_size)

    def refuses_references(self, module: Any) -> str:
        return "An image to edit is beside the latent, row by row, and counts as a part of the image."

    def text(self, call: ModelCall) -> int:
        return super().text(call) + 2 * self._llama(call)

    def _llama(self, call: ModelCall) -> int:
        return int(call.inputs[LLAMA].shape[-2])

    def tokens_of(self, inputs: Mapping[str, Any], tokens: int, columns: Collection[int]) -> tuple[Tensor, list[int]]:
        """T5's channels and those of all Llama's layers in a row; where a token is not of a text there are zeros."""
        t5, llama = inputs["c_crossattn"].cond[0], inputs[LLAMA].cond[0].movedim(0, 1)
        embedded = t5.new_zeros(len(columns), t5.shape[1] + llama[0].numel())
        for row, column in zip(embedded, columns, strict=True):
            if column < tokens:
                row[: t5.shape[1]] = t5[column]
            else:
                row[t5.shape[1] :] = llama[column - tokens].flatten()
        return embedded, [int(column >= tokens) for column in columns]

    def rows(self, words: WordRows) -> WordRows:
        """Each text's rows in turn."""
        of_llama = words.columns.bool()[:, None, None]
        seen = torch.cat((~of_llama, of_llama, of_llama), dim=-1)
        among = words.among.repeat(1, 1, 3, 3).masked_fill(~seen, -math.inf)
        among.diagonal(dim1=-2, dim2=-1).zero_()
        count = words.columns.shape[1]
        voting = words.columns * count + torch.arange(count, device=words.columns.device)
        return replace(words, among=among, voting=voting)

    def with_words(self, call: ModelCall, context: Tensor, inputs: dict[str, Any]) -> tuple[Tensor, dict[str, Any]]:
        """The rows come last in T5's text and first in Llama's, so that they are together where these meet."""
        llama, rows = inputs[LLAMA], rows_of(call).embeddings.to(context)
        t5, of_llama = rows.expand(len(context), -1, -1).split((context.shape[2], rows.shape[2] - context.shape[2]), 2)
        of_llama = of_llama.unflatten(2, (llama.shape[1], -1)).movedim(2, 1).to(llama)
        return torch.cat((context, t5), dim=1), {**inputs, LLAMA: torch.cat((of_llama, llama), dim=2)}

    def words_at(self, call: ModelCall, segments: Segments) -> tuple[Places, tuple[int, int]]:
        prompt, count, llama = segments.prompt, rows_of(call).columns.shape[1], self._llama(call)
        return ((prompt.stop - 2 * llama, 2 * count), (prompt.stop - llama, count)), (prompt.start, prompt.stop)

    def pixels(self, call: ModelCall) -> int:
        """An image to edit is beside the latent, row by row, and counts as a part of it."""
        beside = call.inputs.get("image_cond")
        shape = list(call.latent)
        shape[-1] += 0 if beside is None else beside.shape[-1]
        return math.prod(self.image_grid(call.module, 0, shape))

    def token_columns(self, length: int, tokens: int, columns: Collection[int]) -> list[int]:
        again = (length - tokens) // 2
        return [*columns, *(column + again for column in columns if column >= tokens)]


FAMILY = HiDream()
