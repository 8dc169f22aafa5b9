"""OmniGen2: [prompt, references, image] after refiners; groups of heads share keys and values."""

from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor

from ....hrv_engine.attention.heads import JOINT
from ..calls import ModelCall
from .layers import Layer, Segments, in_a_row, layer
from .riding import Riding, rows_of


class OmniGen2(Riding):
    """The host's OmniGen2; refiners are no sites."""

    name = "OmniGen2"
    classes = ("comfy.ldm.omnigen.omnigen2.OmniGen2Transformer2DModel",)
    text_masks = ("attention_mask",)

    def layers(self, module: Any) -> Iterator[Layer]:
        for number, block in enumerate(module.layers):
            attention = block.attn
            width = attention.heads * attention.dim_head
            yield layer("layer", number, attention.heads, width, attention, attention.to_k.weight, JOINT)

    def text_layers(self, module: Any) -> Sequence[Any]:
        return [block.attn for block in module.context_refiner]

    def with_words(self, call: ModelCall, context: Tensor, inputs: dict[str, Any]) -> tuple[Tensor, dict[str, Any]]:
        """The model is told how many tokens of text have a position."""
        context, inputs = super().with_words(call, context, inputs)
        return context, {**inputs, "num_tokens": inputs["num_tokens"] + rows_of(call).count}

    def embedder(self, module: Any) -> Any:
        return module.rope_embedder.rope_embedder

    def pinned(self, call: ModelCall, positions: Tensor, number: int) -> Tensor:
        """Those of references and image begin, by number, after the text's."""
        text, rows = self.text(call), rows_of(call).count
        positions = positions.clone()
        positions[:, text + rows :, 0] -= rows
        return self.moved(call, positions, text)

    def patch(self, module: Any) -> Sequence[int]:
        return (module.patch_size, module.patch_size)

    def refuses_references(self, module: Any) -> str:
        return ""

    def segments(self, call: ModelCall, layer: Layer, queries: int, keys: int, options: dict[str, Any]) -> Segments:
        text, pixels, references = self.text(call), self.pixels(call), self.counted_references(call)
        self.check(call, queries, text + sum(references) + pixels)
        return Segments(slice(queries - pixels, queries), slice(0, text), in_a_row(text, references))


FAMILY = OmniGen2()
