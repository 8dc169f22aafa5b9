"""The senses of the words of a prompt as bars."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from ..suggestion.suggest import WordSenses, most_open
from .heat_map import INK, WHITE, font
from .plots import PALETTE, QUIET

MARGIN, BAR, LINE, GAP = 14, 220, 24, 18
HUES = {"desired": PALETTE[2], "undesired": PALETTE[1], "": "#c9ccd4"}


def senses_figure(words: Sequence[WordSenses], shown: int) -> np.ndarray:
    """A panel per word: its `shown` nearest concepts, those proposed first coloured; uint8 [height width 3].

    Bars run from similarity 0 to 1 and are empty below 0; beside them is the nearest concept word.
    """
    text, small = font(14), font(12)
    rows = [sense for word in words for sense in word.senses[:shown]]
    names = 16 + max(int(text.getlength(sense.concept)) for sense in rows)
    likes = 60 + max(int(small.getlength(f"like {sense.like}")) for sense in rows)
    width, height = names + BAR + likes, 40 + LINE * min(shown, len(words[0].senses)) + GAP
    first = most_open(words)
    columns = max(1, min(len(words), round((len(words) * height / width) ** 0.5)))
    down = -(-len(words) // columns)
    image = Image.new("RGB", (MARGIN + max(columns * width, 360), down * height + 40), WHITE)
    draw = ImageDraw.Draw(image)
    for number, word in enumerate(words):
        x, y = MARGIN + number % columns * width, MARGIN + number // columns * height
        draw.text((x, y), word.word + " (unknown)" * (not word.known), INK, font(17))
        for place, sense in enumerate(word.senses[:shown]):
            middle, zero = y + 30 + (place + 0.5) * LINE, x + names
            end = zero + max(sense.similarity, 0) * BAR
            role = word.pair.role(sense.concept) if word is first else ""
            draw.text((zero - 8, middle), sense.concept, INK, text, anchor="rm")
            draw.rectangle((zero, middle - 8, end, middle + 8), HUES[role])
            draw.text((end + 6, middle), f"{sense.similarity:.2f}", INK, text, anchor="lm")
            draw.text((zero + BAR + 50, middle), f"like {sense.like}", QUIET, small, anchor="lm")
    x, y = MARGIN, image.height - 24
    for role, note in (("desired", "proposed as desired"), ("undesired", "proposed as undesired")):
        draw.rectangle((x, y, x + 12, y + 12), HUES[role])
        draw.text((x + 18, y + 6), note, INK, small, anchor="lm")
        x += 30 + int(small.getlength(note)) + 18
    return np.asarray(image)
