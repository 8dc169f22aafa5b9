"""Where the cells of heads are in a figure, and what each head carries: for a browser that is pointed at one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..attention.heads import HeadLayout
from ..inspection.head_concepts import concepts_of_heads
from ..relevance.relevance import HeadRelevance

TOLD = 3  # concepts a head


@dataclass(frozen=True)
class Cells:
    """Rows of layers and columns of heads, in pixels: the left upper corner, and the width and height of a cell."""

    left: int
    top: int
    width: int
    height: int

    def box(self, layer: int, head: int) -> tuple[int, int, int, int]:
        """The cell of a head, both numbers from 0, without the gap to its neighbours: (left, top, right, bottom)."""
        x, y = self.left + head * self.width, self.top + layer * self.height
        return x, y, x + self.width - 2, y + self.height - 2

    def moved(self, x: int, y: int) -> "Cells":
        """The same cells on a larger sheet."""
        return replace(self, left=self.left + x, top=self.top + y)


def head_tips(relevance: HeadRelevance, size: tuple[int, int], panels: Sequence[Cells]) -> dict[str, Any]:
    """What web/js/head_tips.js reads: places of all heads in an image of `size` (width, height), and their concepts.

    panels: [left, top, width, height] of each; sites: [label, heads] in HRV order; heads: for each head the `TOLD`
    strongest concepts as [row, relevance, row, relevance, ...], rows counting into `concepts`.
    """
    layout, names = relevance.layout, list(relevance.concepts.names)
    rows = {name: row for row, name in enumerate(names)}
    heads: list[list[float]] = [[] for _ in range(layout.total)]
    for carried in concepts_of_heads(relevance, list(range(layout.total)), TOLD):
        heads[carried.head] += [rows[carried.concept], round(carried.relevance, 2)]
    return {
        "size": list(size),
        "panels": [[panel.left, panel.top, panel.width, panel.height] for panel in panels],
        "sites": [[site.label, site.heads] for site in layout.sites],
        "concepts": names,
        "heads": heads,
    }


def most_heads(layout: HeadLayout) -> int:
    """The heads of the widest layer, which is how many columns a figure has."""
    return max(site.heads for site in layout.sites)
