"""HiDream: [image, prompt of T5, of Llama, of Llama at this layer] in double and single blocks."""

import math
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from ....hrv_engine.attention.heads import JOINT
from ..calls import ModelCall
from ._layers import Layer, layer
from ._transformer import ImageFirst


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

    def text(self, call: ModelCall) -> int:
        return super().text(call) + 2 * int(call.inputs["encoder_hidden_states_llama3"].shape[-2])

    def references(self, call: ModelCall, options: dict[str, Any]) -> int:
        beside = call.inputs.get("image_cond")
        return 0 if beside is None else math.prod(self.image_grid(call.module, 0, beside.shape))

    def token_columns(self, length: int, tokens: int, columns: Collection[int]) -> list[int]:
        again = (length - tokens) // 2
        return [*columns, *(column + again for column in columns if column >= tokens)]


FAMILY = HiDream()
