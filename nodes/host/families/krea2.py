"""Krea 2: [prompt, image, references] in every block; groups of heads share keys and values."""

from collections.abc import Iterator, Sequence
from typing import Any

from ....hrv_engine.attention.heads import JOINT
from .layers import Layer, layer
from .riding import Riding


class Krea2(Riding):
    """The host's single-stream transformer of Krea 2; the fusion of text layers is no site."""

    name = "Krea 2"
    classes = ("comfy.ldm.krea2.model.SingleStreamDiT",)

    def layers(self, module: Any) -> Iterator[Layer]:
        for number, block in enumerate(module.blocks):
            attention = block.attn
            width = attention.heads * attention.headdim
            yield layer("single", number, attention.heads, width, attention, attention.wk.weight, JOINT)

    def patch(self, module: Any) -> Sequence[int]:
        return (module.patch, module.patch)

    def text_layers(self, module: Any) -> Sequence[Any]:
        return [block.attn for block in module.txtfusion.refiner_blocks]

    def refuses_references(self, module: Any) -> str:
        return ""


FAMILY = Krea2()
