"""Prompts, and the words and groups people look for in them, judged by the tokenizer's own decoding."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import comfy.sd1_clip

from comfyui_hrv.nodes.host.tokens import token_table
from hrv_engine.text.phrases import noun_phrases, parse_groups

from .attempt import Attempt
from .mutations import ODD_TEXTS, damaged_text

TEXTS = [
    "a red car and a blue bench, 1girl,solo",
    "a (lavender:1.3) vase, ((night))",
    r"a kite \(bird\), embedding:none",
]
PIECES = [
    *ODD_TEXTS,
    "red",
    "car",
    ",",
    ";",
    " ",
    " ",
    "(",
    ")",
    ":1.2)",
    r"\(",
    "embedding:",
    "<|endoftext|>",
    "Σ",
    "ΟΔΟΣ",
]


class Encoder:
    """The tokenizing half of ComfyUI's CLIP."""

    def __init__(self) -> None:
        self.tokenizer = comfy.sd1_clip.SD1Tokenizer()

    def tokenize(self, text: str, return_word_ids: bool = False) -> Any:
        """As ComfyUI's CLIP."""
        return self.tokenizer.tokenize_with_weights(text, return_word_ids)


def attempts(chance: random.Random, folder: Path) -> Iterator[Attempt]:
    """A prompt and something to look for in it."""
    logging.disable(logging.WARNING)  # core warns of every embedding that is not there
    encoder = Encoder()
    while True:
        text = damaged_text(chance.choice(TEXTS), chance)
        if chance.random() < 0.5:
            text = "".join(chance.choice(PIECES) for _ in range(chance.choice([1, 3, 10, 40])))
        phrase = chance.choice(
            [chance.choice(text.split() or [""]), chance.choice(PIECES), damaged_text("red car; blue bench", chance)]
        )

        def act(text: str = text, phrase: str = phrase) -> Any:
            table = token_table(encoder, text)
            noun_phrases(table)
            groups = parse_groups(phrase, table) if ";" in phrase or "," in phrase else None
            return table, groups if groups is not None else table.columns_of(phrase)

        yield Attempt(f"{phrase!r} in {text!r}", act, _wrong)


def _wrong(value: Any) -> str:
    table, found = value
    columns = [column for _, own in table.spans() for column in own]
    if sorted(columns) != sorted(set(columns)) or not set(columns) <= set(table.columns):
        return "a column is in two words, or in none of the prompt"
    groups = found if isinstance(found, list) else [[("", found)]]
    if any(not own or not set(own) <= set(table.columns) for group in groups for _, own in group):
        return "columns were found that hold no word"
    return ""
