"""Flux.1, Flux.2, Chroma, Chroma Radiance, LongCat: [prompt, image, references] in double and single blocks."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from ....hrv_engine.attention.heads import JOINT
from ._unreachable import class_names
from .layers import Layer, layer
from .riding import Riding

CHROMA = "comfy.ldm.chroma.model.Chroma"


class Flux(Riding):
    """The host's Flux class and those with its blocks."""

    name = "Flux"
    classes = ("comfy.ldm.flux.model.Flux", CHROMA)

    def layers(self, module: Any) -> Iterator[Layer]:
        for number, block in enumerate(module.double_blocks):
            weight = block.txt_attn.qkv.weight
            yield layer("double", number, block.num_heads, block.hidden_size, block, weight, JOINT)
        for number, block in enumerate(module.single_blocks):
            yield layer("single", number, block.num_heads, block.hidden_size, block, block.linear1.weight, JOINT)

    def patch(self, module: Any) -> Sequence[int]:
        return (module.patch_size, module.patch_size)

    def embedder(self, module: Any) -> Any:
        return module.pe_embedder

    def refuses_references(self, module: Any) -> str:
        """Chroma's classes are given reference images as the others are, and leave them out."""
        return "It takes no reference images." if CHROMA in class_names(module) else ""

    def token_columns(self, length: int, tokens: int, columns: Collection[int]) -> list[int]:
        """Flux.2 pads a short prompt in front."""
        return [length - tokens + column for column in columns]


FAMILY = Flux()
