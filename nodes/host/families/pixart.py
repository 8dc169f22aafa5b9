"""PixArt Alpha and Sigma: self-attention, then cross-attention to the prompt; lent options."""

from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor

from .layers import Layer, layer
from .transformer import CrossTransformer


class PixArt(CrossTransformer):
    """The host's PixArtMS, whose attention gets no options and is lent them."""

    name = "PixArt"
    classes = ("comfy.ldm.pixart.pixartms.PixArtMS",)
    optionless = ("comfy.ldm.pixart.blocks",)

    def layers(self, module: Any) -> Iterator[Layer]:
        for number, block in enumerate(module.blocks):
            attention = block.cross_attn
            weight = attention.kv_linear.weight
            yield layer("block", number, attention.num_heads, attention.d_model, attention, weight)

    def patch(self, module: Any) -> Sequence[int]:
        return (module.patch_size, module.patch_size)

    def embedded(self, module: Any, embeddings: Tensor) -> Tensor:
        return module.y_embedder.y_proj(embeddings)

    def words(self, attention: Any, embeddings: Tensor) -> Tensor:
        return attention.kv_linear(embeddings)[..., : attention.d_model]


FAMILY = PixArt()
