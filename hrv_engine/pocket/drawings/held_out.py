"""Which pairs of words no training caption holds, so that forgetting and misreading can be measured on unseen pairs.

A pair is held out by a hash of its words alone: the same pairs in every run and on every machine, whatever words are
added.
"""

from __future__ import annotations

import hashlib
from itertools import combinations

from .words import CONCEPT_OF, NOUNS, POLYSEMOUS_COLORS, SECOND_SENSE

#: One pair of this many is held out.
ONE_IN = 16
_EATEN_OR_GROWN = ("Fruits and Vegetables", "Plants", "Food and Beverages")


def _falls_out(*words: str) -> bool:
    digest = hashlib.sha256("|".join(words).encode()).digest()
    return int.from_bytes(digest[:4], "big") % ONE_IN == 0


def is_held_out(first: str, second: str) -> bool:
    """Whether no caption names these two nouns together, in either order."""
    return _falls_out(*sorted((first, second)))


def is_held_out_misreading(color: str, noun: str) -> bool:
    """Whether no caption puts this polysemous colour word before this noun."""
    return _falls_out("colour", color, noun)


def may_be_colored(noun: str, color: str) -> bool:
    """Whether a polysemous colour word may stand before a noun: neither a plant or food, nor of two senses itself."""
    return CONCEPT_OF[noun] not in _EATEN_OR_GROWN and noun not in SECOND_SENSE and noun != color


def held_out_pairs() -> tuple[tuple[str, str], ...]:
    """All pairs of nouns that are held out, each in the order of the word list."""
    return tuple(pair for pair in combinations(NOUNS, 2) if is_held_out(*pair))


def held_out_misreadings() -> tuple[tuple[str, str], ...]:
    """All (colour word, noun) that are held out, of those a caption could hold."""
    return tuple(
        (color, noun)
        for color in POLYSEMOUS_COLORS
        for noun in NOUNS
        if may_be_colored(noun, color) and is_held_out_misreading(color, noun)
    )
