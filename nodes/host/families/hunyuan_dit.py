"""HunyuanDiT: self-attention, then cross-attention to the tokens of CLIP and T5; lent options."""

from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor

from .layers import Layer, layer
from .transformer import CrossTransformer


class HunyuanDiT(CrossTransformer):
    """The host's HunyuanDiT, whose attention gets no options and is lent them.

    Columns of T5 come after those of CLIP.
    """

    name = "HunyuanDiT"
    classes = ("comfy.ldm.hydit.models.HunYuanDiT",)
    optionless = ("comfy.ldm.hydit.attn_layers",)

    def layers(self, module: Any) -> Iterator[Layer]:
        for number, block in enumerate(module.blocks):
            attention = block.attn2
            weight = attention.kv_proj.weight
            yield layer("block", number, attention.num_heads, attention.qdim, attention, weight)

    def patch(self, module: Any) -> Sequence[int]:
        return (module.patch_size, module.patch_size)

    def words(self, attention: Any, embeddings: Tensor) -> Tensor:
        keys = attention.kv_proj(embeddings)[..., : attention.qdim].unflatten(-1, (attention.num_heads, -1))
        return attention.k_norm(keys).flatten(-2)


FAMILY = HunyuanDiT()
