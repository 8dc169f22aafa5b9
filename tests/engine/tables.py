"""Token tables written by hand: which runs of a prompt the tokenizer cuts into which pieces."""

from __future__ import annotations

import re

from hrv_engine.text.alignment import Piece, TokenTable
from hrv_engine.text.spelling import BLANK, BRACKET, NOTHING

BEFORE = {"": BLANK, "+": NOTHING, "(": BRACKET}


def table(prompt: str, pieces: str | None = None, chunk: int = 75) -> TokenTable:
    """Pieces as in `a skate|boarder +, (here`: | joins the pieces of a run, + glues it to the run before, as ( does.

    (: a bracket of weight syntax. Without pieces they are the words of the prompt; 75 pieces a chunk of 77.
    """
    spelt = [
        (piece.encode(), place == run.count("|"), BEFORE[mark])
        for mark, run in re.findall(r"([+(]?)(\S+)", pieces or prompt)
        for place, piece in enumerate(run.split("|"))
    ]
    columns = (1 + number + (77 - chunk) * (number // chunk) for number in range(len(spelt)))
    return TokenTable(prompt, tuple(Piece(column, *piece) for column, piece in zip(columns, spelt, strict=True)))
