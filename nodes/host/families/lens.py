"""Lens: [image, prompt] in every block."""

from collections.abc import Iterator, Sequence
from typing import Any

from ....hrv_engine.attention.heads import JOINT
from .layers import Layer, layer
from .transformer import ImageFirst


class Lens(ImageFirst):
    """The host's Lens."""

    name = "Lens"
    classes = ("comfy.ldm.lens.model.LensTransformer2DModel",)

    def layers(self, module: Any) -> Iterator[Layer]:
        for number, block in enumerate(module.transformer_blocks):
            attention = block.attn
            weight = attention.txt_qkv.weight
            yield layer("block", number, attention.heads, attention.inner_dim, attention, weight, JOINT)

    def patch(self, module: Any) -> Sequence[int]:
        return (1, 1)


FAMILY = Lens()
