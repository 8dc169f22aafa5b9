"""Kandinsky 5, image and video: self-attention, then cross-attention to the prompt."""

from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor

from ....hrv_engine.errors import HRVError
from .layers import Layer, layer
from .transformer import CrossTransformer


class Kandinsky5(CrossTransformer):
    """The host's Kandinsky 5; the text's own blocks are no sites."""

    name = "Kandinsky 5"
    classes = ("comfy.ldm.kandinsky5.model.Kandinsky5",)

    def layers(self, module: Any) -> Iterator[Layer]:
        for number, block in enumerate(module.visual_transformer_blocks):
            attention = block.cross_attention
            width = attention.num_heads * attention.head_dim
            yield layer("block", number, attention.num_heads, width, attention, attention.to_key.weight)

    def patch(self, module: Any) -> Sequence[int]:
        return module.patch_size

    def words(self, attention: Any, embeddings: Tensor) -> Tensor:
        raise HRVError(
            "Kandinsky 5 works on its prompt with blocks of its own before the image attends to it, so words have no"
            " keys outside a prompt and head vectors cannot be built from them. Steering and prompt weights work."
        )


FAMILY = Kandinsky5()
