"""SD3 and SD3.5: [registers, prompt, image] in every block; an image's own attention beside it in some."""

from collections.abc import Iterator, Sequence
from typing import Any

from ....hrv_engine.attention.heads import JOINT
from .layers import Layer, layer
from .riding import Riding


class SD3(Riding):
    """The host's MMDiT; the second attention of an MMDiT-X block is the image's own and no site."""

    name = "SD3"
    classes = ("comfy.ldm.modules.diffusionmodules.mmdit.MMDiT",)

    def layers(self, module: Any) -> Iterator[Layer]:
        for number, block in enumerate(module.joint_blocks):
            attention, weight = block.x_block.attn, block.context_block.attn.qkv.weight
            width = attention.num_heads * attention.head_dim
            yield layer("joint", number, attention.num_heads, width, block, weight, JOINT)

    def patch(self, module: Any) -> Sequence[int]:
        return (module.patch_size, module.patch_size)

    def first(self, module: Any) -> int:
        return int(module.register_length)


FAMILY = SD3()
