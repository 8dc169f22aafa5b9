"""PixelDiT and PiD: [prompt, patches] in the patch blocks; pixel blocks see no text."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor

from ....hrv_engine.attention.heads import JOINT
from ..calls import ModelCall
from .layers import Layer, layer
from .riding import Riding, rows_of
from .transformer import repeated


class PixelDiT(Riding):
    """The host's PixelDiT, which works on pixels."""

    name = "PixelDiT"
    classes = ("comfy.ldm.pixeldit.model.PixDiT_T2I",)

    def layers(self, module: Any) -> Iterator[Layer]:
        for number, block in enumerate(module.patch_blocks):
            attention = block.attn
            width = attention.num_heads * attention.head_dim
            yield layer("patch", number, attention.num_heads, width, attention, attention.qkv_y.weight, JOINT)

    def with_words(self, call: ModelCall, context: Tensor, inputs: dict[str, Any]) -> tuple[Tensor, dict[str, Any]]:
        """Nothing: the model cuts its text at the length that prompts are padded to, so rows come in behind that."""
        return context, inputs

    @contextmanager
    def riding(self, call: ModelCall) -> Iterator[None]:
        if call.words is None:
            yield
            return
        module, theirs = call.module, call.module._fetch_text_pos

        def rotations(length: int, *where: Any) -> _OfEachImage:
            own, others = theirs(module.txt_max_length, *where)[rows_of(call).columns], theirs(length, *where)
            return _OfEachImage(torch.cat((own, others.expand(len(own), *others.shape)), dim=1))

        def join(block: Any, given: tuple) -> tuple:
            patches, text, *rest = given
            return patches, torch.cat((self._embedded(call, text), text), dim=1), *rest

        with ExitStack() as undo:
            undo.callback(module.patch_blocks[0].register_forward_pre_hook(join).remove)
            undo.callback(delattr, module, "_fetch_text_pos")
            module._fetch_text_pos = rotations
            yield

    def _embedded(self, call: ModelCall, text: Tensor) -> Tensor:
        """The rows [batch rows channels] as the model embeds its text, with what it has learned of their columns."""
        rows, module = rows_of(call), call.module
        embedded = module.y_embedder(rows.embeddings.to(text)).view(*rows.embeddings.shape[:2], -1)
        return (embedded + module.y_pos_embedding[0].to(text)[rows.columns]).expand(len(text), -1, -1)

    def patch(self, module: Any) -> Sequence[int]:
        return (module.patch_size, module.patch_size)

    def text(self, call: ModelCall) -> int:
        return min(super().text(call), int(call.module.txt_max_length))

    def token_columns(self, length: int, tokens: int, columns: Collection[int]) -> list[int]:
        return repeated(length, tokens, columns)


class _OfEachImage:
    """Rotations [images tokens ...], where the host indexes those of one text to put two axes before them."""

    def __init__(self, rotations: Tensor) -> None:
        self.rotations = rotations

    def __getitem__(self, axes: tuple[None, None]) -> Tensor:
        return self.rotations[:, None]


FAMILY = PixelDiT()
