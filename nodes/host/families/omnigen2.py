"""OmniGen2: [prompt, references, image] after refiners; groups of heads share keys and values."""

from collections.abc import Iterator, Sequence
from typing import Any

from ....hrv_engine.attention.heads import JOINT
from ..calls import ModelCall
from .layers import Layer, Segments, layer
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

    def segments(self, call: ModelCall, layer: Layer, queries: int, keys: int, options: dict[str, Any]) -> Segments:
        pixels = self.pixels(call)
        return Segments(slice(queries - pixels, queries), slice(0, self.text(call)))


FAMILY = OmniGen2()
