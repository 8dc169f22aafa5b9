"""Ideogram 4: [prompt, image] in every layer."""

from collections.abc import Iterator, Sequence
from typing import Any

from ....hrv_engine.attention.heads import JOINT
from .layers import Layer, layer
from .transformer import JointTransformer


class Ideogram4(JointTransformer):
    """The host's Ideogram 4; its latent is in patches already."""

    name = "Ideogram 4"
    classes = ("comfy.ldm.ideogram4.model.Ideogram4Transformer",)

    def layers(self, module: Any) -> Iterator[Layer]:
        for number, block in enumerate(module.layers):
            attention = block.attention
            width = attention.num_heads * attention.head_dim
            yield layer("layer", number, attention.num_heads, width, attention, attention.qkv.weight, JOINT)

    def patch(self, module: Any) -> Sequence[int]:
        return (1, 1)


FAMILY = Ideogram4()
