"""HiDream: [image, prompt of T5, of Llama, of Llama at this layer] in double and single blocks."""

import math
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from ....hrv_engine.attention.heads import JOINT
from ..calls import ModelCall
from .layers import Layer, layer
from .transformer import ImageFirst


class HiDream(ImageFirst):
    """The host's HiDream. Columns of Llama come after those of T5; both of its copies are meant."""

    name = "HiDream"
    classes = ("comfy.ldm.hidream.model.HiDreamImageTransformer2DModel",)

    def layers(self, module: Any) -> Iterator[Layer]:
        for part, blocks in (("double", module.double_stream_blocks), ("single", module.single_stream_blocks)):
            for number, wrapped in enumerate(blocks):
                attention = wrapped.block.attn1
                weight = attention.to_k.weight
                yield layer(part, number, attention.heads, attention.inner_dim, attention, weight, JOINT)

    def patch(self, module: Any) -> Sequence[int]:
        return (module.patch_size, module.patch_size)

    def refuses_references(self, module: Any) -> str:
        return "An image to edit is beside the latent, row by row, and counts as a part of the image."

    def text(self, call: ModelCall) -> int:
        return super().text(call) + 2 * int(call.inputs["encoder_hidden_states_llama3"].shape[-2])

    def pixels(self, call: ModelCall) -> int:
        """An image to edit is beside the latent, row by row, and counts as a part of it."""
        beside = call.inputs.get("image_cond")
        shape = list(call.latent)
        shape[-1] += 0 if beside is None else beside.shape[-1]
        return math.prod(self.image_grid(call.module, 0, shape))

    def token_columns(self, length: int, tokens: int, columns: Collection[int]) -> list[int]:
        again = (length - tokens) // 2
        return [*columns, *(column + again for column in columns if column >= tokens)]


FAMILY = HiDream()
