"""Ernie-Image: [image, prompt] in every layer; its attention gets no options and is lent them."""

from collections.abc import Iterator, Sequence
from typing import Any

from ....hrv_engine.attention.heads import JOINT
from .layers import Layer, layer
from .transformer import ImageFirst


class Ernie(ImageFirst):
    """The host's Ernie-Image."""

    name = "Ernie-Image"
    classes = ("comfy.ldm.ernie.model.ErnieImageModel",)
    optionless = ("comfy.ldm.ernie.model",)

    def layers(self, module: Any) -> Iterator[Layer]:
        for number, block in enumerate(module.layers):
            attention = block.self_attention
            width = attention.heads * attention.head_dim
            yield layer("layer", number, attention.heads, width, attention, attention.to_k.weight, JOINT)

    def patch(self, module: Any) -> Sequence[int]:
        return (module.patch_size, module.patch_size)


FAMILY = Ernie()
