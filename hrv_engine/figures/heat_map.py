"""Figures as images: the heat map of an HRV over layers and heads (figure 48)."""

from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..attention.heads import HeadLayout
from ..relevance.relevance import HeadRelevance
from .cells import Cells, most_heads

INK, WHITE, NO_HEAD = (25, 25, 30), (255, 255, 255), (238, 238, 240)
# Anchors of viridis (perceptually uniform, readable with colour-blind eyes and in grey).
VIRIDIS = np.array(
    [
        (68, 1, 84),
        (71, 44, 122),
        (59, 81, 139),
        (44, 113, 142),
        (33, 144, 141),
        (39, 173, 129),
        (92, 200, 99),
        (170, 220, 50),
        (253, 231, 37),
    ],
    np.float32,
)


def heatmap(relevance: HeadRelevance, concepts: list[str]) -> np.ndarray:
    """One panel per concept, rows = layers in HRV order, columns = heads; uint8 [height width 3].

    The colours of each panel run from 0 to the row's largest element, which is beside its scale.
    """
    return side_by_side(heat_panels(relevance, concepts))


def heat_panels(relevance: HeadRelevance, concepts: list[str]) -> list[Image.Image]:
    """The panels of `heatmap`, one by one."""
    names = relevance.concepts.names
    return [
        panel(relevance.layout, relevance.row(concept), names[relevance.concepts.index(concept)])
        for concept in concepts
    ]


def side_by_side(panels: list[Image.Image]) -> np.ndarray:
    """Panels of one height on a sheet of about square shape; uint8 [height width 3]."""
    places = corners(panels)
    width, height = max(panel.width for panel in panels), panels[0].height
    sheet = Image.new("RGB", (max(x for x, _ in places) + width, max(y for _, y in places) + height), WHITE)
    for panel, place in zip(panels, places, strict=True):
        sheet.paste(panel, place)
    return np.asarray(sheet)


def corners(panels: list[Image.Image]) -> list[tuple[int, int]]:
    """Where `side_by_side` puts the left upper corner of each panel, (x, y)."""
    width, height = max(panel.width for panel in panels), panels[0].height
    columns = min(max(1, round(np.sqrt(len(panels) * height / width))), len(panels))
    return [((number % columns) * width, (number // columns) * height) for number in range(len(panels))]


def panel_cells(layout: HeadLayout) -> Cells:
    """Where the heads are in a panel."""
    cell = 28 if len(layout.sites) <= 24 else 12
    return Cells(96, 44, cell, cell)


def heat_table(relevance: HeadRelevance, concepts: list[str]) -> list[dict[str, Any]]:
    """The numbers of a heat map, one row per cell: concept, head (HRV index), layer, head in its layer, block, element.

    Layers count from 1 and heads from 0, as in `HeadLayout.locate`.
    """
    layout, places = relevance.layout, [relevance.layout.locate(head) for head in range(relevance.layout.total)]
    return [
        {
            "concept": concept,
            "head": head,
            "layer": layer,
            "head_in_layer": number,
            "block": layout.sites[layer - 1].label,
            "relevance": float(relevance.row(concept)[head]),
        }
        for concept in concepts
        for head, (layer, number) in enumerate(places)
    ]


def colours(values: np.ndarray) -> np.ndarray:
    """Map values in [0, 1] to viridis; float [...] -> uint8 [... 3]."""
    place = np.clip(values, 0, 1) * (len(VIRIDIS) - 1)
    low = np.floor(place).astype(int).clip(0, len(VIRIDIS) - 2)
    part = (place - low)[..., None]
    return (VIRIDIS[low] * (1 - part) + VIRIDIS[low + 1] * part).round().astype(np.uint8)


def panel(layout: HeadLayout, row: np.ndarray, name: str, marks: dict[int, str] | None = None) -> Image.Image:
    """Any non-negative numbers [heads] over layers and heads, under their name; marks: short texts in some cells."""
    heads, cells = most_heads(layout), panel_cells(layout)
    left, top, cell, bottom, right = cells.left, cells.top, cells.width, 40, 74
    title = font(18)
    width = left + max(heads * cell + right, int(title.getlength(name)) + 12)
    image = Image.new("RGB", (width, top + len(layout.sites) * cell + bottom), WHITE)
    draw, peak, small = ImageDraw.Draw(image), float(row.max()) or 1.0, font(13 if cell > 20 else 10)
    draw.text((left, 12), name, INK, title)
    for number, site in enumerate(layout.sites):
        y = top + number * cell
        draw.text((left - 8, y + cell / 2), site.label, INK, small, anchor="rm")
        shades = colours(row[layout.head_range(site.key)] / peak)
        for head in range(heads):
            fill = tuple(int(c) for c in shades[head]) if head < site.heads else NO_HEAD
            draw.rectangle(cells.box(number, head), fill)
    below = top + len(layout.sites) * cell
    for head in range(0, heads, 1 if cell > 20 else 5):
        draw.text((left + (head + 0.5) * cell, below + 9), str(head), INK, small, anchor="mm")
    draw.text((left + heads * cell / 2, below + 26), "head", INK, small, anchor="mm")
    for index, mark in (marks or {}).items():
        layer, head = layout.locate(index)
        place = (left + (head + 0.5) * cell - 1, top + (layer - 0.5) * cell - 1)
        draw.text(place, mark, INK if row[index] > peak / 2 else WHITE, small, anchor="mm")
    _scale_bar(image, left + heads * cell + 14, top, len(layout.sites) * cell, peak, small)
    return image


def _scale_bar(panel: Image.Image, x: int, y: int, length: int, peak: float, font: ImageFont.FreeTypeFont) -> None:
    draw = ImageDraw.Draw(panel)
    ramp = colours(np.linspace(1, 0, length))[:, None].repeat(13, axis=1)
    panel.paste(Image.fromarray(ramp), (x, y))
    for value, place in ((peak, 0.0), (peak / 2, 0.5), (0.0, 1.0)):
        draw.text((x + 18, y + place * (length - 1)), f"{value:.1f}", INK, font, anchor="lm")


def font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)
