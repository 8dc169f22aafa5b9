"""Cosmos 1: blocks of self-attention, cross-attention to the prompt, and feed-forward."""

from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor

from .layers import Layer, layer
from .transformer import CrossTransformer


class Cosmos(CrossTransformer):
    """The host's GeneralDIT."""

    name = "Cosmos 1"
    classes = ("comfy.ldm.cosmos.model.GeneralDIT",)

    def layers(self, module: Any) -> Iterator[Layer]:
        for number, block in enumerate(module.blocks.values()):
            for part in block.blocks:
                if part.block_type in ("cross_attn", "ca"):
                    attention = part.block.attn
                    width = attention.heads * attention.dim_head
                    yield layer("block", number, attention.heads, width, attention, attention.to_k[0].weight)

    def patch(self, module: Any) -> Sequence[int]:
        return (module.patch_temporal, module.patch_spatial, module.patch_spatial)

    def words(self, attention: Any, embeddings: Tensor) -> Tensor:
        keys = attention.to_k[0](embeddings).unflatten(-1, (attention.heads, -1))
        return attention.to_k[1](keys).flatten(-2)


FAMILY = Cosmos()
