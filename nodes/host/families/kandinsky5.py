"""Kandinsky 5, image and video: self-attention, then cross-attention to the prompt."""

from collections.abc import Iterator, Sequence
from typing import Any

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

    def words_need_runs(self, module: Any) -> bool:
        """Blocks of its own work on the prompt before the image attends to it."""
        return True


FAMILY = Kandinsky5()
