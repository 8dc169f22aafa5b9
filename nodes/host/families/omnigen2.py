"""OmniGen2: [prompt, references, image] after refiners; groups of heads share keys and values."""

from collections.abc import Iterator, Sequence
from typing import Any

from ....hrv_engine.attention.heads import JOINT
from ..calls import ModelCall
from .layers import Layer, Segments, in_a_row, layer
from .transformer import JointTransformer


class OmniGen2(JointTransformer):
    """The host's OmniGen2; refiners are no sites."""

    name = "OmniGen2"
    classes = ("comfy.ldm.omnigen.omnigen2.OmniGen2Transformer2DModel",)

    def layers(self, module: Any) -> Iterator[Layer]:
        for number, block in enumerate(module.layers):
            attention = block.attn
            width = attention.heads * attention.dim_head
            yield layer("layer", number, attention.heads, width, attention, attention.to_k.weight, JOINT)

    def patch(self, module: Any) -> Sequence[int]:
        return (module.patch_size, module.patch_size)

    def refuses_references(self, module: Any) -> str:
        return ""

    def segments(self, call: ModelCall, layer: Layer, queries: int, keys: int, options: dict[str, Any]) -> Segments:
        text, pixels, references = self.text(call), self.pixels(call), self.counted_references(call)
        self.check(call, queries, text + sum(references) + pixels)
        return Segments(slice(queries - pixels, queries), slice(0, text), in_a_row(text, references))


FAMILY = OmniGen2()
