"""Boogu: [prompt, references, image] in double and single layers; groups of heads share keys and values."""

from collections.abc import Iterator
from typing import Any

from ....hrv_engine.attention.heads import JOINT
from ..calls import ModelCall
from .layers import Layer, Segments, layer
from .omnigen2 import OmniGen2


class Boogu(OmniGen2):
    """The host's Boogu, made of OmniGen2's parts; refiners and the image's own attention are no sites."""

    name = "Boogu"
    classes = ("comfy.ldm.boogu.model.BooguTransformer2DModel",)

    def layers(self, module: Any) -> Iterator[Layer]:
        for number, block in enumerate(module.double_stream_layers):
            attention = block.img_instruct_attn
            width = attention.heads * attention.dim_head
            weight = attention.processor.instruct_to_k.weight
            yield layer("double", number, attention.heads, width, attention, weight, JOINT)
        for number, block in enumerate(module.single_stream_layers):
            attention = block.attn
            width = attention.heads * attention.dim_head
            yield layer("single", number, attention.heads, width, attention, attention.to_k.weight, JOINT)

    def refuses_references(self, module: Any) -> str:
        return (
            "Its double layers have a second attention in which the image meets reference images without the prompt,"
            " where HRV nodes do not act."
        )

    def segments(self, call: ModelCall, layer: Layer, queries: int, keys: int, options: dict[str, Any]) -> Segments:
        pixels = self.pixels(call)
        return Segments(slice(queries - pixels, queries), slice(0, self.text(call)))


FAMILY = Boogu()
