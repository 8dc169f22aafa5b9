"""HunyuanDiT: self-attention, then cross-attention to the tokens of CLIP and T5; lent options."""

from collections.abc import Iterator, Sequence
from typing import Any

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

    def words_need_runs(self, module: Any) -> bool:
        """A word's tokens of T5 are beside those of CLIP, in another context."""
        return True


FAMILY = HunyuanDiT()
