"""The before/after sheet: a row a prompt, a column a condition, every image marked as read right or misread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

ZOOM, GAP, APART, LABEL, MARGIN, MARK, TOP = 2, 6, 30, 290, 24, 24, 190
INK, FAINT, PAPER = (25, 25, 30), (105, 105, 115), (255, 255, 255)
RIGHT, WRONG = (0, 114, 178), (213, 94, 0)  # blue and vermilion, told apart by every kind of colour vision
NARROWEST = 230  # pixels of a column
LEGEND = ("the asked colour, on one thing", "misread: the other thing is there, or the asked colour is not")

Heads = Mapping[str, tuple[str, str]]  # condition → its column's title, and what is said below


@dataclass(frozen=True)
class Row:
    """One prompt: its text, what was asked, and by condition its images with whether each is misread."""

    title: str
    asked: str
    cells: Mapping[str, Sequence[tuple[Image.Image, bool]]]


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _mark(draw: ImageDraw.ImageDraw, x: int, y: int, misread: bool) -> None:
    """A tick or a cross on a white disc, its upper left corner at x, y."""
    draw.ellipse((x, y, x + MARK, y + MARK), PAPER, WRONG if misread else RIGHT, 2)
    if misread:
        draw.line((x + 7, y + 7, x + MARK - 7, y + MARK - 7), WRONG, 4)
        draw.line((x + 7, y + MARK - 7, x + MARK - 7, y + 7), WRONG, 4)
    else:
        draw.line((x + 6, y + 13, x + 10, y + 17, x + 17, y + 7), RIGHT, 4, joint="curve")


def _columns(heads: Heads, row: Row, side: int) -> tuple[dict[str, int], int]:
    """The left edge of every condition, and the right edge of the last; none is narrower than its head."""
    edges, left = {}, MARGIN + LABEL
    for name in heads:
        edges[name] = left
        left += max(len(row.cells[name]) * (side + GAP), NARROWEST) + APART
    return edges, left - APART


def draw_sheet(heading: str, heads: Heads, rows: Sequence[Row]) -> Image.Image:
    """All rows under a heading, a legend and the heads of the columns."""
    side = next(iter(rows[0].cells.values()))[0][0].width * ZOOM
    edges, right = _columns(heads, rows[0], side)
    sheet = Image.new("RGB", (right + MARGIN, TOP + len(rows) * (side + GAP) + MARGIN), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((MARGIN, 18), heading, INK, _font(38))
    for number, text in enumerate(LEGEND):
        _mark(draw, MARGIN + 400 * number, 76, bool(number))
        draw.text((MARGIN + 34 + 400 * number, 75), text, INK, _font(22))
    for name, (title, below) in heads.items():
        draw.text((edges[name], 122), title, INK, _font(28))
        draw.text((edges[name], 154), below, FAINT, _font(22))
    for number, row in enumerate(rows):
        top = TOP + number * (side + GAP)
        draw.text((MARGIN, top + side // 2 - 42), f"“{row.title}”", INK, _font(26))
        draw.text((MARGIN, top + side // 2 - 6), row.asked, FAINT, _font(18))
        for name, left in edges.items():
            for place, (image, misread) in enumerate(row.cells[name]):
                corner = left + place * (side + GAP)
                sheet.paste(image.resize((side, side), Image.Resampling.LANCZOS), (corner, top))
                _mark(draw, corner + side - MARK - 3, top + side - MARK - 3, misread)
    return sheet
