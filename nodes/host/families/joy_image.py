"""JoyImage: [image, references, prompt] in every block."""

from collections.abc import Iterator, Sequence
from typing import Any

from ....hrv_engine.attention.heads import JOINT
from ..calls import ModelCall
from .layers import Layer, layer
from .riding import Riding
from .transformer import ImageFirst


class JoyImage(ImageFirst, Riding):
    """The host's JoyImage."""

    name = "JoyImage"
    classes = ("comfy.ldm.joyimage.model.JoyImageTransformer3DModel",)

    words_last = True

    def layers(self, module: Any) -> Iterator[Layer]:
        for number, block in enumerate(module.double_blocks):
            attention = block.attn
            weight = attention.txt_attn_qkv.weight
            width = weight.shape[0] // 3
            yield layer("double", number, attention.num_attention_heads, width, attention, weight, JOINT)

    def patch(self, module: Any) -> Sequence[int]:
        return module.patch_size

    def refuses_references(self, module: Any) -> str:
        return ""

    def references(self, call: ModelCall, options: dict[str, Any]) -> Sequence[int]:
        return self.counted_references(call)


FAMILY = JoyImage()
