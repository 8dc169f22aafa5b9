"""Mochi: [video, prompt] in every block."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from ....hrv_engine.attention.heads import JOINT
from ..calls import ModelCall
from ..word_rows import apart
from .layers import Layer, layer
from .riding import Riding, rows_of
from .transformer import ImageFirst

PADDED = 256  # tokens of a prompt whose number the host does not say


class Mochi(ImageFirst, Riding):
    """The host's asymmetric transformer of Mochi; padded tokens of the prompt are cut from its attention."""

    name = "Mochi"
    classes = ("comfy.ldm.genmo.joint_model.asymm_models_joint.AsymmDiTJoint",)
    words_last = True

    def layers(self, module: Any) -> Iterator[Layer]:
        for number, block in enumerate(module.blocks):
            attention = block.attn
            width = attention.num_heads * attention.head_dim
            yield layer("block", number, attention.num_heads, width, attention, attention.qkv_y.weight, JOINT)

    def patch(self, module: Any) -> Sequence[int]:
        return (1, module.patch_size, module.patch_size)

    def text(self, call: ModelCall) -> int:
        return min(super().text(call), int(call.inputs.get("num_tokens", PADDED)))

    def with_words(self, call: ModelCall, context: Tensor, inputs: dict[str, Any]) -> tuple[Tensor, dict[str, Any]]:
        """Rows come before the padded tokens, which the model cuts off; its text has no positions."""
        prompt, pads = context.tensor_split((self.text(call),), dim=1)
        used = inputs.get("num_tokens", PADDED) + rows_of(call).count
        return torch.cat((rows_of(call).beside(prompt, True), pads), dim=1), {**inputs, "num_tokens": used}

    @contextmanager
    def riding(self, call: ModelCall) -> Iterator[None]:
        """What the model pools of the text is the prompt's."""
        if call.words is None:
            yield
            return
        places = ((self.text(call), call.words.count),)

        def prompt(module: Any, given: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
            return apart(given[0], places, 1)[0], given[1]

        hook = call.module.t5_y_embedder.register_forward_pre_hook(prompt)
        try:
            yield
        finally:
            hook.remove()


FAMILY = Mochi()
