"""AuraFlow: [registers, prompt, image] in double and single blocks."""

from collections.abc import Iterator, Sequence
from typing import Any

from ....hrv_engine.attention.heads import JOINT
from .layers import Layer, layer
from .riding import Riding


class AuraFlow(Riding):
    """The host's MMDiT of AuraFlow."""

    name = "AuraFlow"
    classes = ("comfy.ldm.aura.mmdit.MMDiT",)

    def layers(self, module: Any) -> Iterator[Layer]:
        for part, blocks in (("double", module.double_layers), ("single", module.single_layers)):
            for number, block in enumerate(blocks):
                attention = block.attn
                width = attention.n_heads * attention.head_dim
                yield layer(part, number, attention.n_heads, width, attention, attention.w1k.weight, JOINT)

    def patch(self, module: Any) -> Sequence[int]:
        return (module.patch_size, module.patch_size)

    def first(self, module: Any) -> int:
        return int(module.register_tokens.shape[1])


FAMILY = AuraFlow()
