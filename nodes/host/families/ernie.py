"""Ernie-Image: [image, prompt] in every layer; its attention gets no options and is lent them."""

from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor

from ....hrv_engine.attention.heads import JOINT
from ..calls import ModelCall
from .layers import Layer, layer
from .riding import Riding, rows_of
from .transformer import ImageFirst


class Ernie(ImageFirst, Riding):
    """The host's Ernie-Image."""

    name = "Ernie-Image"
    classes = ("comfy.ldm.ernie.model.ErnieImageModel",)
    words_last = True
    optionless = ("comfy.ldm.ernie.model",)

    def layers(self, module: Any) -> Iterator[Layer]:
        for number, block in enumerate(module.layers):
            attention = block.self_attention
            width = attention.heads * attention.head_dim
            yield layer("layer", number, attention.heads, width, attention, attention.to_k.weight, JOINT)

    def embedder(self, module: Any) -> Any:
        return module.pos_embed

    def pinned(self, call: ModelCall, positions: Tensor, number: int) -> Tensor:
        """The image's positions come first and begin, by number, after the text's."""
        pixels = self.pixels(call)
        positions = positions.clone()
        positions[:, :pixels, 0] -= rows_of(call).count
        return self.moved(call, positions, self.text(call), pixels)

    def patch(self, module: Any) -> Sequence[int]:
        return (module.patch_size, module.patch_size)


FAMILY = Ernie()
