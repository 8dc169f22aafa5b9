"""PixelDiT and PiD: [prompt, patches] in the patch blocks; pixel blocks see no text."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from ....hrv_engine.attention.heads import JOINT
from ..calls import ModelCall
from .layers import Layer, layer
from .transformer import JointTransformer, repeated


class PixelDiT(JointTransformer):
    """The host's PixelDiT, which works on pixels."""

    name = "PixelDiT"
    classes = ("comfy.ldm.pixeldit.model.PixDiT_T2I",)

    def layers(self, module: Any) -> Iterator[Layer]:
        for number, block in enumerate(module.patch_blocks):
            attention = block.attn
            width = attention.num_heads * attention.head_dim
            yield layer("patch", number, attention.num_heads, width, attention, attention.qkv_y.weight, JOINT)

    def patch(self, module: Any) -> Sequence[int]:
        return (module.patch_size, module.patch_size)

    def text(self, call: ModelCall) -> int:
        return min(super().text(call), int(call.module.txt_max_length))

    def token_columns(self, length: int, tokens: int, columns: Collection[int]) -> list[int]:
        return repeated(length, tokens, columns)


FAMILY = PixelDiT()
