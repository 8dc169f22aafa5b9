"""Attention sites of a model, and the layout of the heads that an HRV counts, in execution order (heads 0..n-1)."""

import hashlib
import json
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..errors import HRVError
from ..storage.plain_json import excerpt
from ..text.lists import listed
from ..text.whole_numbers import whole_number

SiteKey = tuple[str, int, int]  # name of a part of the model, block number, depth: ("output", 11, 0)
CROSS, SELF, JOINT = "cross", "self", "joint"
MOST_HEADS = 1_000_000


@dataclass(frozen=True)
class AttentionSite:
    """One attention call of a model: its key, head count, channels per head, and what attends to what.

    role: CROSS (the image to the text), SELF (the image to itself) or JOINT (text and image to both).
    """

    key: SiteKey
    heads: int
    head_dim: int
    role: str = CROSS

    @property
    def label(self) -> str:
        """The layer's name on figures, e.g. `output 11.0`."""
        name, number, depth = self.key
        return f"{name} {number}.{depth}"


@dataclass(frozen=True)
class HeadLayout:
    """The sites whose heads an HRV counts, in execution order (section 3; the authors' extraction notebook)."""

    sites: tuple[AttentionSite, ...]

    @cached_property
    def total(self) -> int:
        """H, the number of cross-attention heads."""
        return sum(site.heads for site in self.sites)

    @cached_property
    def keys(self) -> frozenset[SiteKey]:
        """The keys of all layers."""
        return frozenset(site.key for site in self.sites)

    @cached_property
    def _offsets(self) -> dict[SiteKey, int]:
        offsets, running = {}, 0
        for site in self.sites:
            offsets[site.key] = running
            running += site.heads
        return offsets

    @cached_property
    def _ranges(self) -> dict[SiteKey, slice]:
        starts = self._offsets
        return {site.key: slice(starts[site.key], starts[site.key] + site.heads) for site in self.sites}

    def same_heads(self, other: "HeadLayout") -> bool:
        """Whether both count the same heads in the same order, so that vectors of one fit the other."""
        return [(site.key, site.heads) for site in self.sites] == [(site.key, site.heads) for site in other.sites]

    def offset(self, key: SiteKey) -> int:
        """HRV index of head 0 of the site at `key`; KeyError for one that is not in the layout."""
        return self._offsets[key]

    def head_range(self, key: SiteKey) -> slice:
        """The HRV indices of the site at `key`, as a slice of [heads]."""
        return self._ranges[key]

    def locate(self, index: int) -> tuple[int, int]:
        """(layer number from 1, head number from 0) of an HRV index, the numbering of the paper's figures."""
        if not 0 <= index < self.total:
            raise HRVError(f"Head {index} does not exist: this model has heads 0 to {self.total - 1}.")
        for number, site in enumerate(self.sites, start=1):
            if index < site.heads:
                return number, index
            index -= site.heads
        raise AssertionError("unreachable")

    def label(self, index: int) -> str:
        """A head's name, e.g. `L16/h0 (output 11.0)`."""
        layer, head = self.locate(index)
        return f"L{layer}/h{head} ({self.sites[layer - 1].label})"

    @property
    def summary(self) -> str:
        """A short description for reports and errors, e.g. `16 layers, 128 heads`."""
        return f"{len(self.sites)} layers, {self.total} heads"

    @cached_property
    def digest(self) -> str:
        """A short hash of the layers and their head counts: equal digests mean that HRVs are interchangeable."""
        return hashlib.sha256(json.dumps(self.to_json()).encode()).hexdigest()[:16]

    def to_json(self) -> list[list[Any]]:
        """Rows [part, block, depth, heads, head_dim], and the role where it is not cross-attention."""
        return [
            [*site.key, site.heads, site.head_dim, *([] if site.role == CROSS else [site.role])] for site in self.sites
        ]

    @classmethod
    def from_json(cls, rows: list[list[Any]]) -> "HeadLayout":
        """The inverse of `to_json`; raises HRVError for malformed rows."""
        try:
            sites = tuple(AttentionSite((n, i, d), h, c, *r) for n, i, d, h, c, *r in rows)
            layout = cls(sites) if all(map(_is_possible, sites)) else None
        except (TypeError, ValueError):
            layout = None
        if layout is None or not sites or len(layout.keys) < len(sites) or layout.total > MOST_HEADS:
            raise HRVError(
                f"The head layout {excerpt(rows)} is not a list of [block, id, depth, heads, head_dim], each layer"
                f" once, of at most {MOST_HEADS} heads."
            )
        return layout


def _is_possible(site: AttentionSite) -> bool:
    name, number, depth = site.key
    numbers = all(type(value) is int for value in (number, depth, site.heads, site.head_dim))
    return (
        numbers and type(name) is str and min(number, depth) >= 0 and min(site.heads, site.head_dim) > 0
    ) and site.role in (CROSS, SELF, JOINT)


def parse_heads(text: str, layout: HeadLayout) -> list[int]:
    """HRV indices from "120, L16/h0, L3": indices, heads by layer (from 1) and head (from 0), whole layers.

    In the order given, each once; raises HRVError that quotes the part it cannot read.
    """
    indices: list[int] = []
    for part in listed(text):
        match = re.fullmatch(r"(\d+)|L(\d+)(?:\s*/\s*h(\d+))?", part, re.IGNORECASE)
        heads = _heads_of(match, layout) if match else []
        if not heads:
            raise HRVError(
                f'There is no head "{part[:60]}". This model has {layout.summary}: write an index from 0 to'
                f" {layout.total - 1}, a head such as L1/h0 (layer from 1 to {len(layout.sites)}, head from 0), or a"
                " whole layer such as L1, separated by commas."
            )
        indices += heads
    return list(dict.fromkeys(indices))


def _heads_of(match: "re.Match[str]", layout: HeadLayout) -> list[int]:
    """The heads a matched part names, none if they do not exist."""
    index, layer, head = match.groups()
    heads = range(layout.total)
    if layer is not None:
        number = whole_number(layer, len(layout.sites))
        heads = heads[layout.head_range(layout.sites[number - 1].key)] if number else heads[:0]
    typed = index or head
    if typed is None:
        return list(heads)
    chosen = whole_number(typed, len(heads) - 1)
    return [] if chosen is None else [heads[chosen]]
