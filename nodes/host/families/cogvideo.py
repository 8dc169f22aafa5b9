"""CogVideoX: [prompt, video] in every block."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from ....hrv_engine.attention.heads import JOINT
from .layers import Layer, layer
from .riding import Riding
from .transformer import repeated


class CogVideo(Riding):
    """The host's CogVideoX."""

    name = "CogVideoX"
    classes = ("comfy.ldm.cogvideo.model.CogVideoXTransformer3DModel",)

    def layers(self, module: Any) -> Iterator[Layer]:
        for number, block in enumerate(module.blocks):
            width = block.num_heads * block.head_dim
            yield layer("block", number, block.num_heads, width, block, block.k.weight, JOINT)

    def patch(self, module: Any) -> Sequence[int]:
        return (module.patch_size_t or 1, module.patch_size, module.patch_size)

    def token_columns(self, length: int, tokens: int, columns: Collection[int]) -> list[int]:
        return repeated(length, tokens, columns)


FAMILY = CogVideo()
