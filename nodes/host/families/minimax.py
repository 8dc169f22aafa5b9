"""MiniMax H3: [prompt, conditions, audio, video] packed, one sample an attention call."""

from collections.abc import Iterator, Sequence
from typing import Any

from ....hrv_engine.attention.heads import JOINT
from ..calls import ModelCall
from .layers import Layer, Segments, layer
from .transformer import JointTransformer


class MiniMax(JointTransformer):
    """The host's MiniMax H3; its refiner runs before sampling and is no site."""

    name = "MiniMax H3"
    needs_sound = True
    batches = False
    classes = ("comfy.ldm.minimax.model.MiniMaxH3Model",)

    def layers(self, module: Any) -> Iterator[Layer]:
        for number, block in enumerate(module.blocks):
            attention = block.attn
            width = attention.heads * attention.head_dim
            yield layer("block", number, attention.heads, width, attention, attention.qkv_proj.weight, JOINT)

    def patch(self, module: Any) -> Sequence[int]:
        return module.patch_size

    def segments(self, call: ModelCall, layer: Layer, queries: int, keys: int, options: dict[str, Any]) -> Segments:
        layout = call.inputs["minimax_payload"]["layout"]
        self.check(call, queries, layout.seq_len)
        places = {kind: slice(start, stop) for start, stop, kind in layout.segments}
        return Segments(places["video"], places["text"])


FAMILY = MiniMax()
