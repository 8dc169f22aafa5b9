"""The before/after sheet: for every prompt a row of images a condition, each marked as read right or misread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

ZOOM, GAP, LABEL, MARGIN, MARK = 4, 6, 190, 24, 26
INK, FAINT, PAPER = (25, 25, 30), (105, 105, 115), (255, 255, 255)
RIGHT, WRONG = (0, 114, 178), (213, 94, 0)  # blue and vermilion, told apart by every kind of colour vision


@dataclass(frozen=True)
class Block:
    """One prompt: its text, what was asked, and rows of (image, misread) by row label."""

    title: str
    asked: str
    rows: Mapping[str, Sequence[tuple[Image.Image, bool]]]


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _mark(draw: ImageDraw.ImageDraw, x: int, y: int, misread: bool) -> None:
    """A tick or a cross on a white disc, its upper left corner at x, y."""
    draw.ellipse((x, y, x + MARK, y + MARK), PAPER, WRONG if misread else RIGHT, 2)
    if misread:
        draw.line((x + 8, y + 8, x + MARK - 8, y + MARK - 8), WRONG, 4)
        draw.line((x + 8, y + MARK - 8, x + MARK - 8, y + 8), WRONG, 4)
    else:
        draw.line((x + 7, y + 14, x + 11, y + 19, x + 19, y + 8), RIGHT, 4, joint="curve")


def _draw_block(block: Block) -> Image.Image:
    first = next(iter(block.rows.values()))
    side = first[0][0].width * ZOOM
    width = LABEL + len(first) * (side + GAP)
    sheet = Image.new("RGB", (width, 58 + len(block.rows) * (side + GAP)), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((0, 0), f"“{block.title}”", INK, _font(26))
    draw.text((0, 33), block.asked, FAINT, _font(16))
    for number, (label, images) in enumerate(block.rows.items()):
        top = 58 + number * (side + GAP)
        wrong = sum(misread for _, misread in images)
        draw.text((0, top + side // 2 - 24), label, INK, _font(20))
        draw.text((0, top + side // 2 + 4), f"{wrong} of {len(images)} misread", FAINT, _font(16))
        for column, (image, misread) in enumerate(images):
            left = LABEL + column * (side + GAP)
            sheet.paste(image.resize((side, side), Image.Resampling.NEAREST), (left, top))
            _mark(draw, left + side - MARK - 4, top + side - MARK - 4, misread)
    return sheet


def draw_sheet(heading: str, blocks: Sequence[Block], columns: int = 2) -> Image.Image:
    """All blocks in `columns`, under a heading and a legend."""
    drawn = [_draw_block(block) for block in blocks]
    width, height = drawn[0].size
    rows = -(-len(drawn) // columns)
    sheet = Image.new("RGB", (MARGIN + columns * (width + MARGIN), 110 + rows * (height + MARGIN)), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((MARGIN, 18), heading, INK, _font(34))
    _mark(draw, MARGIN, 66, False)
    draw.text((MARGIN + 34, 68), "the asked meaning", INK, _font(18))
    _mark(draw, MARGIN + 230, 66, True)
    draw.text((MARGIN + 264, 68), "misread: the other thing is there, or the asked one is missing", INK, _font(18))
    for index, block in enumerate(drawn):
        sheet.paste(block, (MARGIN + index % columns * (width + MARGIN), 110 + index // columns * (height + MARGIN)))
    return sheet
