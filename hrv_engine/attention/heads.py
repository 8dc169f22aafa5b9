"""HeadLayout: which cross-attention heads a UNet has, in HRV order (down, mid, up; execution order; heads 0..n-1)."""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..errors import HRVError

BlockKey = tuple[str, int, int]  # ComfyUI's key: ("input" | "middle" | "output", block id, transformer depth)


@dataclass(frozen=True)
class HeadSlot:
    """One cross-attention layer: its ComfyUI key, head count and channels per head."""

    block: BlockKey
    heads: int
    head_dim: int

    @property
    def label(self) -> str:
        """The layer's name on figures, e.g. `output 11.0`."""
        name, number, depth = self.block
        return f"{name} {number}.{depth}"


@dataclass(frozen=True)
class HeadLayout:
    """All cross-attention layers of a UNet in HRV order (section 3; facts of the authors' extraction notebook)."""

    slots: tuple[HeadSlot, ...]

    @classmethod
    def of(cls, unet: Any) -> "HeadLayout":
        """Discover the layout from a UNet's own modules; raises HRVError for a model without such layers."""
        slots = tuple(
            HeadSlot(block, int(attention.heads), int(attention.dim_head))
            for block, attention in cross_attentions(unet)
        )
        if not slots:
            raise HRVError(
                f"{type(unet).__name__} has no UNet cross-attention layers. Head Relevance Vectors work with UNets"
                " whose text comes in through cross-attention: SD1.x, SD2.x, SDXL and their fine-tunes. Flux, SD3 and"
                " other transformers join text and image in one attention and are not supported; load an SD1.x, SD2.x"
                " or SDXL checkpoint."
            )
        return cls(slots)

    @cached_property
    def total(self) -> int:
        """H, the number of cross-attention heads."""
        return sum(slot.heads for slot in self.slots)

    @cached_property
    def blocks(self) -> frozenset[BlockKey]:
        """The keys of all layers."""
        return frozenset(slot.block for slot in self.slots)

    @cached_property
    def _offsets(self) -> dict[BlockKey, int]:
        offsets, running = {}, 0
        for slot in self.slots:
            offsets[slot.block] = running
            running += slot.heads
        return offsets

    def offset(self, block: BlockKey) -> int:
        """HRV index of head 0 of the layer at `block`; KeyError for a block that is not in the layout."""
        return self._offsets[block]

    def head_range(self, block: BlockKey) -> slice:
        """The HRV indices of the layer at `block`, as a slice of [heads]."""
        slot = next(slot for slot in self.slots if slot.block == block)
        return slice(self.offset(block), self.offset(block) + slot.heads)

    def locate(self, index: int) -> tuple[int, int]:
        """(layer number from 1, head number from 0) of an HRV index, the numbering of the paper's figures."""
        if not 0 <= index < self.total:
            raise HRVError(f"Head {index} does not exist: this model has heads 0 to {self.total - 1}.")
        for number, slot in enumerate(self.slots, start=1):
            if index < slot.heads:
                return number, index
            index -= slot.heads
        raise AssertionError("unreachable")

    def label(self, index: int) -> str:
        """A head's name, e.g. `L16/h0 (output 11.0)`."""
        layer, head = self.locate(index)
        return f"L{layer}/h{head} ({self.slots[layer - 1].label})"

    @property
    def summary(self) -> str:
        """A short description for reports and errors, e.g. `16 layers, 128 heads`."""
        return f"{len(self.slots)} layers, {self.total} heads"

    @cached_property
    def digest(self) -> str:
        """A short hash of the layers and their head counts: equal digests mean that HRVs are interchangeable."""
        return hashlib.sha256(json.dumps(self.to_json()).encode()).hexdigest()[:16]

    def to_json(self) -> list[list[Any]]:
        """Rows [block name, id, depth, heads, head_dim]."""
        return [[*slot.block, slot.heads, slot.head_dim] for slot in self.slots]

    @classmethod
    def from_json(cls, rows: list[list[Any]]) -> "HeadLayout":
        """The inverse of `to_json`; raises HRVError for malformed rows."""
        try:
            return cls(tuple(HeadSlot((str(n), int(i), int(d)), int(h), int(c)) for n, i, d, h, c in rows))
        except (TypeError, ValueError) as error:
            raise HRVError(
                f"The head layout {str(rows)[:80]!r} is not a list of [block, id, depth, heads, head_dim]."
            ) from error


def cross_attentions(unet: Any) -> Iterator[tuple[BlockKey, Any]]:
    """Yield (block key, attention module) for every cross-attention layer of an ldm-style UNet, in execution order."""
    if not hasattr(unet, "input_blocks") or not hasattr(unet, "output_blocks"):
        return
    yield from _walk("input", unet.input_blocks)
    if getattr(unet, "middle_block", None) is not None:
        yield from _walk("middle", [unet.middle_block])
    yield from _walk("output", unet.output_blocks)


def _walk(name: str, sequences: Any) -> Iterator[tuple[BlockKey, Any]]:
    for number, sequence in enumerate(sequences):
        for layer in sequence:
            for depth, block in enumerate(getattr(layer, "transformer_blocks", ())):
                if getattr(block, "attn2", None) is not None:
                    yield (name, number, depth), block.attn2


def parse_heads(text: str, layout: HeadLayout) -> list[int]:
    """HRV indices from "120, L16/h0, L3": indices, heads by layer (from 1) and head (from 0), whole layers.

    In the order given, each once; raises HRVError that quotes the part it cannot read.
    """
    found: list[int] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        match = re.fullmatch(r"(\d+)|L(\d+)(?:\s*/\s*h(\d+))?", part, re.IGNORECASE)
        heads = _heads_of(match, layout) if match else []
        if not heads:
            raise HRVError(
                f'There is no head "{part}". This model has {layout.summary}: write an index from 0 to'
                f" {layout.total - 1}, a head such as L1/h0 (layer from 1 to {len(layout.slots)}, head from 0), or a"
                " whole layer such as L1, separated by commas."
            )
        found += heads
    return list(dict.fromkeys(found))


def _heads_of(match: "re.Match[str]", layout: HeadLayout) -> list[int]:
    """The heads a matched part names, none if they do not exist."""
    index, layer, head = (None if group is None else int(group) for group in match.groups())
    if index is not None:
        return [index] if index < layout.total else []
    assert layer is not None
    if not 1 <= layer <= len(layout.slots):
        return []
    slot = layout.slots[layer - 1]
    first = layout.offset(slot.block)
    if head is None:
        return list(range(first, first + slot.heads))
    return [first + head] if head < slot.heads else []
