"""LTX-Video and LTX-2: self-attention, then cross-attention to the prompt; audio has layers of its own."""

from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor

from .layers import Layer, layer
from .transformer import CrossTransformer


class LTX(CrossTransformer):
    """The host's LTXV class and LTX-2, of which the layers of the video are the sites."""

    name = "LTX"
    classes = ("comfy.ldm.lightricks.model.LTXVModel",)

    def layers(self, module: Any) -> Iterator[Layer]:
        for number, block in enumerate(module.transformer_blocks):
            attention = block.attn2
            width = attention.heads * attention.dim_head
            yield layer("block", number, attention.heads, width, attention, attention.to_k.weight)

    def patch(self, module: Any) -> Sequence[int]:
        return (1, 1, 1)

    def words_need_runs(self, module: Any) -> bool:
        """LTX-2 works on its prompt with layers of its own and shifts keys with the noise level."""
        return bool(module.cross_attention_adaln) or hasattr(module, "video_embeddings_connector")

    def embedded(self, module: Any, embeddings: Tensor) -> Tensor:
        return module.caption_projection(embeddings)

    def words(self, attention: Any, embeddings: Tensor) -> Tensor:
        return attention.k_norm(attention.to_k(embeddings))


FAMILY = LTX()
