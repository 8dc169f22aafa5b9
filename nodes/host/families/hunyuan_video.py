"""HunyuanVideo and HunyuanImage: [vision, glyphs, prompt, image] after a refiner of the prompt."""

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor

from ....hrv_engine.attention.heads import JOINT
from ..calls import ModelCall
from .layers import Layer, Segments, layer
from .riding import Riding, rows_of


class HunyuanVideo(Riding):
    """The host's HunyuanVideo class: 1, 1.5, HunyuanImage 2.1; the refiner is no site."""

    name = "HunyuanVideo"
    classes = ("comfy.ldm.hunyuan_video.model.HunyuanVideo",)

    text_masks = ("attention_mask",)

    def layers(self, module: Any) -> Iterator[Layer]:
        for number, block in enumerate(module.double_blocks):
            weight = block.txt_attn.qkv.weight
            yield layer("double", number, block.num_heads, block.hidden_size, block, weight, JOINT)
        for number, block in enumerate(module.single_blocks):
            yield layer("single", number, block.num_heads, block.hidden_size, block, block.linear1.weight, JOINT)

    def patch(self, module: Any) -> Sequence[int]:
        return module.patch_size

    def text_layers(self, module: Any) -> Sequence[Any]:
        return module.txt_in.individual_token_refiner.blocks

    @contextmanager
    def riding(self, call: ModelCall) -> Iterator[None]:
        """The refiner is told the mean of the text: that of the prompt."""
        if call.words is None:
            yield
            return
        text, refiner = self.text(call), call.module.txt_in
        heard: list[Tensor] = []

        def mean(module: Any, given: Any) -> tuple[Tensor]:
            prompt = heard.pop()[:, rows_of(call).count :]
            prompt = prompt.float() if prompt.dtype == torch.float16 else prompt
            return ((prompt.sum(dim=1) / text).to(given[0].dtype),)

        with ExitStack() as undo:
            undo.callback(refiner.register_forward_pre_hook(lambda module, given: heard.append(given[0])).remove)
            undo.callback(refiner.c_embedder.register_forward_pre_hook(mean).remove)
            yield

    def refuses_references(self, module: Any) -> str:
        return "Its one reference comes to it by another way than a reference latent."

    def segments(self, call: ModelCall, layer: Layer, queries: int, keys: int, options: dict[str, Any]) -> Segments:
        """Tokens of a start image are before the prompt; those of glyphs before it (1.5) or after it."""
        text, pixels = self.text(call), self.pixels(call)
        vision, glyphs = (_tokens(call.inputs.get(name)) for name in ("clip_fea", "txt_byt5"))
        glyphs = glyphs if call.module.byt5_in is not None else 0
        start = vision + (glyphs if call.module.cond_type_embedding is not None else 0)
        reference = call.inputs.get("ref_latent")
        before = 0 if reference is None else math.prod(self.image_grid(call.module, 0, reference.shape))
        image = vision + glyphs + text + before
        self.check(call, queries, image + pixels)
        return Segments(slice(image, image + pixels), slice(start, start + text))


def _tokens(context: Any) -> int:
    return 0 if context is None else int(context.shape[1])


FAMILY = HunyuanVideo()
