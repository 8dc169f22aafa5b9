"""JoyImage: [image, references, prompt] in every block."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from ....hrv_engine.attention.heads import JOINT
from ..calls import ModelCall
from .layers import Layer, layer
from .transformer import ImageFirst


class JoyImage(ImageFirst):
    """The host's JoyImage."""

    name = "JoyImage"
    classes = ("comfy.ldm.joyimage.model.JoyImageTransformer3DModel",)

    def layers(self, module: Any) -> Iterator[Layer]:
        for number, block in enumerate(module.double_blocks):
            attention = block.attn
            weight = attention.txt_attn_qkv.weight
            width = weight.shape[0] // 3
            yield layer("double", number, attention.num_attention_heads, width, attention, weight, JOINT)

    def patch(self, module: Any) -> Sequence[int]:
        return module.patch_size

    def references(self, call: ModelCall, options: dict[str, Any]) -> int:
        latents = call.inputs.get("ref_latents") or ()
        return sum(math.prod(self.image_grid(call.module, 0, latent.shape)) for latent in latents)


FAMILY = JoyImage()
