"""One layer of a transformer as the late override needs it, and where image and prompt are in its attention."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

from ....hrv_engine.attention.heads import CROSS, AttentionSite

EVERYTHING = slice(None)


@dataclass(frozen=True)
class Layer:
    """A site, the module in which its attention is called, and a weight by which two checkpoints are told apart.

    before: how many attention calls the module makes before that of the site.
    """

    site: AttentionSite
    module: Any
    weight: Any
    before: int = 0


@dataclass(frozen=True)
class TextLayer:
    """A module whose first attention is that of text among itself: a refiner of the prompt."""

    module: Any
    before: int = 0


class Segments(NamedTuple):
    """Which queries of an attention call are the image's pixels, and which keys are the prompt's tokens.

    references: which keys are those of each reference image, (first, one after the last).
    """

    image: slice = EVERYTHING
    prompt: slice = EVERYTHING
    references: tuple[tuple[int, int], ...] = ()


def in_a_row(start: int, sizes: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """(first, one after the last) of things of these sizes, one after the other from `start` on."""
    ends = list(accumulate(sizes, initial=start))
    return tuple(pairwise(ends))


def layer(
    part: str, number: int, heads: int, width: int, module: Any, weight: Any, role: str = CROSS, before: int = 0
) -> Layer:
    """A layer of `heads` heads that share `width` channels."""
    plain = getattr(module, "_orig_mod", module)  # of a compiled one
    return Layer(AttentionSite((part, number, 0), int(heads), int(width) // int(heads), role), plain, weight, before)
