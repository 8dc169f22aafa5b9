"""Lens: [image, prompt] in every block."""

from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor

from ....hrv_engine.attention.heads import JOINT
from ..calls import ModelCall
from .layers import Layer, layer
from .riding import Riding
from .transformer import ImageFirst


class Lens(ImageFirst, Riding):
    """The host's Lens."""

    name = "Lens"
    classes = ("comfy.ldm.lens.model.LensTransformer2DModel",)
    words_last = True
    text_masks = ("attention_mask",)

    def layers(self, module: Any) -> Iterator[Layer]:
        for number, block in enumerate(module.transformer_blocks):
            attention = block.attn
            weight = attention.txt_qkv.weight
            yield layer("block", number, attention.heads, attention.inner_dim, attention, weight, JOINT)

    def embedder(self, module: Any) -> Any:
        return module.pos_embed

    def pinned(self, call: ModelCall, positions: Tensor, number: int) -> Tensor:
        """The image's positions come first and do not depend on the text."""
        return self.moved(call, positions, self.text(call), self.pixels(call))

    def patch(self, module: Any) -> Sequence[int]:
        return (1, 1)


FAMILY = Lens()
