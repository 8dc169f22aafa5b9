"""Ideogram 4: [prompt, image] in every layer."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor

from ....hrv_engine.attention.heads import JOINT
from ..calls import ModelCall
from .layers import Layer, layer
from .riding import Riding


class Ideogram4(Riding):
    """The host's Ideogram 4; its latent is in patches already."""

    name = "Ideogram 4"
    classes = ("comfy.ldm.ideogram4.model.Ideogram4Transformer",)
    text_masks = ("attention_mask",)

    def layers(self, module: Any) -> Iterator[Layer]:
        for number, block in enumerate(module.layers):
            attention = block.attention
            width = attention.num_heads * attention.head_dim
            yield layer("layer", number, attention.num_heads, width, attention, attention.qkv.weight, JOINT)

    @contextmanager
    def riding(self, call: ModelCall) -> Iterator[None]:
        """Rotations are made once, of the first image's positions, and given to every layer."""
        if call.words is None:
            yield
            return
        made: list[Tensor] = []

        def pin(module: Any, given: tuple) -> tuple:
            tokens, mask, rotations, *rest = given
            if not made:
                made.append(self.moved(call, rotations, self.text(call)))
            return tokens, mask, made[0], *rest

        with ExitStack() as undo:
            for block in call.module.layers:
                undo.callback(block.register_forward_pre_hook(pin).remove)
            yield

    def patch(self, module: Any) -> Sequence[int]:
        return (1, 1)


FAMILY = Ideogram4()
