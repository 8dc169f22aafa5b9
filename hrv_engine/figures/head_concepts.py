"""Figures of what heads carry: a grid of all heads with their strongest concepts, and bars for single heads."""

import numpy as np
from PIL import Image, ImageColor, ImageDraw, ImageFont

from ..attention.heads import HeadLayout
from ..inspection.head_concepts import abbreviations, check_concepts, concepts_of_heads
from ..relevance.relevance import HeadRelevance
from .cells import Cells, most_heads
from .heat_map import INK, NO_HEAD, WHITE, font
from .plots import PALETTE, QUIET

MARGIN, BAR = 14, PALETTE[0]
WIDE = 24  # layers, beyond which cells are smaller
RGB = [np.array(ImageColor.getrgb(hue), float) for hue in PALETTE]


def concept_grid(relevance: HeadRelevance) -> np.ndarray:
    """Layers from top to bottom, heads from left to right, each cell with its strongest concept; uint8 [H W 3].

    A concept has its letters and a hue (hues repeat beyond six concepts); the stronger the head's relevance, the darker
    the cell: white is the average head (1) and less, the full hue the largest relevance drawn, on a logarithmic scale.
    """
    check_concepts(relevance)
    layout, names = relevance.layout, relevance.concepts.names
    short, strongest, peaks = abbreviations(names), relevance.values.argmax(axis=0), relevance.values.max(axis=0)
    small, cells, heads = font(12), grid_cells(layout), most_heads(layout)
    left, top, cell_width, cell_height = cells.left, cells.top, cells.width, cells.height
    wide = len(layout.sites) > WIDE
    text = font(11 if wide else 14)
    right, bottom = left + heads * cell_width, top + len(layout.sites) * cell_height
    key = _key(sorted(set(strongest[peaks > 0].tolist())), short, bottom - top)
    title, heading = "The strongest concept of each head", font(20)
    width = MARGIN + max(right + 24 + key.width, MARGIN + int(heading.getlength(title)))
    image = Image.new("RGB", (width, max(bottom + 44, top + key.height + MARGIN)), WHITE)
    image.paste(key, (right + 24, top))
    draw = ImageDraw.Draw(image)
    draw.text((MARGIN, MARGIN), title, INK, heading)
    draw.text((MARGIN, MARGIN + 28), f"white: relevance 1 and less; full colour: {peaks.max():.1f}", INK, small)
    for number, site in enumerate(layout.sites):
        y = top + number * cell_height
        draw.text((left - 8, y + cell_height / 2), site.label, INK, small, anchor="rm")
        for head in range(heads):
            box = cells.box(number, head)
            index = layout.offset(site.key) + head
            if head >= site.heads or not peaks[index]:
                draw.rectangle(box, NO_HEAD)
                continue
            row = int(strongest[index])
            _cell(draw, box, short[names[row]], row, _strength(peaks[index], float(peaks.max())), text)
    for head in range(0, heads, 5 if wide else 1):
        draw.text((left + (head + 0.5) * cell_width, bottom + 10), str(head), INK, small, anchor="mm")
    draw.text(((left + right) / 2, bottom + 28), "head", INK, small, anchor="mm")
    return np.asarray(image)


def grid_cells(layout: HeadLayout) -> Cells:
    """Where the heads are in `concept_grid`."""
    labels = max(int(font(12).getlength(site.label)) for site in layout.sites)
    return Cells(MARGIN + labels + 8, MARGIN + 58, *((34, 17) if len(layout.sites) > WIDE else (46, 28)))


def _key(rows: list[int], short: dict[str, str], height: int) -> Image.Image:
    """The letters, colours and names of concepts (row numbers), in columns of about the height given."""
    names, text = list(short), font(12)
    line, width = 24, 60 + max(int(text.getlength(names[row])) for row in rows)
    lines = max(height // line, 12)
    key = Image.new("RGB", (-(-len(rows) // lines) * width, min(lines, len(rows)) * line), WHITE)
    draw = ImageDraw.Draw(key)
    for number, row in enumerate(rows):
        x, y = number // lines * width, number % lines * line
        _cell(draw, (x, y, x + 40, y + 20), short[names[row]], row, 1.0, font(13))
        draw.text((x + 48, y + 10), names[row], INK, text, anchor="lm")
    return key


def concept_bars(relevance: HeadRelevance, heads: list[int], count: int = 8) -> np.ndarray:
    """A panel per head: its `count` strongest concepts as bars of their relevance, on one scale; uint8 [H W 3].

    A fine line marks 1, the average head. Beside each bar is the relevance and, where votes are known, the part of
    the head's votes. An outline stands for a head that works against the concept.
    """
    check_concepts(relevance)
    carried, text, small = concepts_of_heads(relevance, heads, count), font(14), font(12)
    peak, voted = max(max(concept.relevance for concept in carried), 1.0), relevance.votes is not None
    names = 16 + max(int(text.getlength(concept.concept)) for concept in carried)
    bar, line = 220, 24
    width, height = names + bar + 160, 62 + line * min(count, len(relevance.concepts.names))
    columns = max(1, min(len(heads), round((len(heads) * height / width) ** 0.5)))
    image = Image.new("RGB", (columns * width + MARGIN, -(-len(heads) // columns) * height + 34), WHITE)
    draw = ImageDraw.Draw(image)
    for number, head in enumerate(heads):
        x, y = MARGIN + number % columns * width, number // columns * height + 10
        zero, top, figures, shares = x + names, y + 50, x + names + bar + 64, x + names + bar + 134
        draw.text((x, y), f"head {head} = {relevance.layout.label(head)}", INK, font(17))
        draw.text((figures, y + 32), "relevance", INK, small, anchor="ra")
        if voted:
            draw.text((shares, y + 32), "its votes", INK, small, anchor="ra")
        for place, concept in enumerate(concept for concept in carried if concept.head == head):
            middle = top + (place + 0.5) * line
            draw.text((zero - 8, middle), concept.concept, INK, text, anchor="rm")
            length = zero + min(abs(concept.relevance) / peak, 1.0) * bar
            against = concept.relevance < 0
            draw.rectangle((zero, middle - 8, length, middle + 8), None if against else BAR, BAR if against else None)
            draw.text((figures, middle), f"{concept.relevance:.2f}", INK, text, anchor="rm")
            if concept.vote_share is not None:
                draw.text((shares, middle), f"{concept.vote_share:.1%}", INK, text, anchor="rm")
        draw.line((zero + bar / peak, top, zero + bar / peak, y + height - 12), QUIET)
    note = "bars: relevance; the grey line is the average head, 1" + "; its votes: share of the head's own" * voted
    draw.text((MARGIN, image.height - 22), note, INK, small)
    return np.asarray(image)


def _strength(value: float, peak: float) -> float:
    """0 for the average head and below, 1 for the largest relevance, logarithmic between."""
    return float(np.clip(np.log(max(value, 1.0)) / np.log(peak), 0, 1)) if peak > 1 else 0.0


def _cell(
    draw: ImageDraw.ImageDraw,
    box: tuple[int, int, int, int],
    letters: str,
    row: int,
    strength: float,
    text: ImageFont.FreeTypeFont,
) -> None:
    fill = shade(row, strength)
    ink = INK if fill @ (0.299, 0.587, 0.114) > 115 else WHITE
    draw.rectangle(box, tuple(int(part) for part in fill), outline=(215, 215, 220) if strength < 0.25 else None)
    draw.text(((box[0] + box[2]) / 2, (box[1] + box[3]) / 2), letters, ink, text, anchor="mm")


def shade(row: int, strength: float) -> np.ndarray:
    """The colour of concept `row` at a strength of 0 (white) to 1 (its hue), uint8 [3]."""
    return (255 - strength * (255 - RGB[row % len(RGB)])).round().astype(np.uint8)
