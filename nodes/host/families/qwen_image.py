"""Qwen-Image, Qwen-Image-Edit, Mage-Flow: [prompt, image, references] in every block."""

from collections.abc import Iterator, Sequence
from typing import Any

from ....hrv_engine.attention.heads import JOINT
from .layers import Layer, layer
from .riding import Riding


class QwenImage(Riding):
    """The host's Qwen-Image class and those with its blocks."""

    name = "Qwen-Image"
    classes = (
        "comfy.ldm.qwen_image.model.QwenImageTransformer2DModel",
        "comfy.ldm.mage_flow.model.MageFlowTransformer2DModel",
    )

    text_masks = ("attention_mask",)

    def layers(self, module: Any) -> Iterator[Layer]:
        for number, block in enumerate(module.transformer_blocks):
            attention = block.attn
            weight = attention.add_k_proj.weight
            yield layer("block", number, attention.heads, attention.inner_kv_dim, attention, weight, JOINT)

    def patch(self, module: Any) -> Sequence[int]:
        return (module.patch_size, module.patch_size)

    def embedder(self, module: Any) -> Any:
        return module.pe_embedder

    def refuses_references(self, module: Any) -> str:
        return ""


FAMILY = QwenImage()
