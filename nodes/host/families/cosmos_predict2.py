"""Cosmos-Predict2 and Anima: self-attention, then cross-attention to the prompt."""

from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor

from ._unreachable import class_names
from .layers import Layer, layer
from .transformer import CrossTransformer


class CosmosPredict2(CrossTransformer):
    """The host's MiniTrainDIT and Anima.

    Anima's adapter turns the output of the encoder into tokens of T5, and columns are those.
    """

    name = "Cosmos-Predict2"
    classes = ("comfy.ldm.cosmos.predict2.MiniTrainDIT",)

    def layers(self, module: Any) -> Iterator[Layer]:
        for number, block in enumerate(module.blocks):
            attention = block.cross_attn
            width = attention.n_heads * attention.head_dim
            yield layer("block", number, attention.n_heads, width, attention, attention.k_proj.weight)

    def patch(self, module: Any) -> Sequence[int]:
        return (module.patch_temporal, module.patch_spatial, module.patch_spatial)

    def words_need_runs(self, module: Any) -> bool:
        """Anima's adapter makes its tokens of a whole prompt."""
        return "comfy.ldm.anima.model.Anima" in class_names(module)

    def words(self, attention: Any, embeddings: Tensor) -> Tensor:
        keys = attention.k_proj(embeddings).unflatten(-1, (attention.n_heads, -1))
        return attention.k_norm(keys).flatten(-2)


FAMILY = CosmosPredict2()
