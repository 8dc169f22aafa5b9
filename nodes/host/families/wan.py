"""Wan 2.x, text and image to video: self-attention, then cross-attention to the prompt."""

from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor

from .layers import Layer, layer
from .transformer import CrossTransformer


class Wan(CrossTransformer):
    """The host's Wan classes. The tokens of a start image have an attention of their own before that of the prompt."""

    name = "Wan"
    classes = ("comfy.ldm.wan.model.WanModel",)

    def layers(self, module: Any) -> Iterator[Layer]:
        for number, block in enumerate(module.blocks):
            attention, weight = block.cross_attn, block.cross_attn.k.weight
            place, before = attention, int(hasattr(attention, "k_img"))
            if type(block).__name__.startswith("Causal"):  # it remembers keys and goes by without its attention module
                place, before = block, before + 1
            yield layer("block", number, attention.num_heads, attention.dim, place, weight, before=before)

    def patch(self, module: Any) -> Sequence[int]:
        return module.patch_size

    def embedded(self, module: Any, embeddings: Tensor) -> Tensor:
        return module.text_embedding(embeddings)

    def words(self, attention: Any, embeddings: Tensor) -> Tensor:
        attention = getattr(attention, "cross_attn", attention)
        return attention.norm_k(attention.k(embeddings))


FAMILY = Wan()
