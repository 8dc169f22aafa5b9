"""Z-Image, Lumina 2 and their pixel-space kin: [prompt, pads, references, image, pads] after refiners of their own."""

from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor

from ....hrv_engine.attention.heads import JOINT
from ..calls import ModelCall
from ..word_rows import Places
from .layers import Layer, Segments, layer
from .riding import Riding, rows_of


class Lumina(Riding):
    """The host's NextDiT. Text and image are padded to a multiple with learned tokens; refiners are no sites."""

    name = "Z-Image and Lumina 2"
    classes = ("comfy.ldm.lumina.model.NextDiT",)

    def layers(self, module: Any) -> Iterator[Layer]:
        for number, block in enumerate(module.layers):
            attention = block.attention
            heads, width = attention.n_local_heads, attention.n_local_heads * attention.head_dim
            yield layer("layer", number, heads, width, attention, attention.qkv.weight, JOINT)

    def patch(self, module: Any) -> Sequence[int]:
        return (module.patch_size, module.patch_size)

    def row_multiple(self, module: Any) -> int:
        return module.pad_tokens_multiple or 1

    def text_layers(self, module: Any) -> Sequence[Any]:
        return [block.attention for block in module.context_refiner]

    def embedder(self, module: Any) -> Any:
        return module.rope_embedder

    def words_at(self, call: ModelCall, segments: Segments) -> tuple[Places, tuple[int, int]]:
        return ((0, rows_of(call).count),), (0, segments.image.start)  # pads of the text are the prompt's too

    def pinned(self, call: ModelCall, positions: Tensor, number: int) -> Tensor:
        """The text's positions come first; those of the image begin after them."""
        rows = rows_of(call)
        if number == 0:
            return self.moved(call, positions, positions.shape[1] - rows.count)
        moved = positions.repeat(len(rows.columns), 1, 1)
        moved[:, : self.pixels(call), 0] -= rows.count
        return moved

    def refuses_references(self, module: Any) -> str:
        return "Its refiner mixes reference images into the image before the layers where HRV nodes act."

    def segments(self, call: ModelCall, layer: Layer, queries: int, keys: int, options: dict[str, Any]) -> Segments:
        """Texts first, each padded: those of references, then the prompt; the image is last, padded too."""
        size = call.module.pad_tokens_multiple or 1
        references, texts = (call.inputs.get(name) or () for name in ("ref_latents", "ref_contexts"))
        before = [texts[number].shape[1] if number < len(texts) else size for number in range(len(references))]
        start, pixels = sum(_padded(length, size) for length in before), self.pixels(call)
        image, text = queries - _padded(pixels, size), self.text(call)
        if not references and not texts:
            self.check(call, queries, _padded(text, size) + _padded(pixels, size))
        return Segments(slice(image, image + pixels), slice(start, start + text))


def _padded(length: int, size: int) -> int:
    return -(-length // size) * size


FAMILY = Lumina()
