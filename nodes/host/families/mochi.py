"""Mochi: [video, prompt] in every block."""

from collections.abc import Iterator, Sequence
from typing import Any

from ....hrv_engine.attention.heads import JOINT
from ..calls import ModelCall
from .layers import Layer, layer
from .transformer import ImageFirst


class Mochi(ImageFirst):
    """The host's asymmetric transformer of Mochi; padded tokens of the prompt are cut from its attention."""

    name = "Mochi"
    classes = ("comfy.ldm.genmo.joint_model.asymm_models_joint.AsymmDiTJoint",)

    def layers(self, module: Any) -> Iterator[Layer]:
        for number, block in enumerate(module.blocks):
            attention = block.attn
            width = attention.num_heads * attention.head_dim
            yield layer("block", number, attention.num_heads, width, attention, attention.qkv_y.weight, JOINT)

    def patch(self, module: Any) -> Sequence[int]:
        return (1, module.patch_size, module.patch_size)

    def text(self, call: ModelCall) -> int:
        return min(super().text(call), int(call.inputs.get("num_tokens", 256)))


FAMILY = Mochi()
