"""The words of the emoji world, and which drawing each noun means.

A drawing is named by its emoji ("red apple"), a noun by its caption word ("apple"). Some nouns have a second drawing
("mouse": the animal, or "computer mouse"), and some colour words are nouns as well (:data:`POLYSEMOUS_COLORS`).
"""

from __future__ import annotations

import json

from ...errors import HRVError, nearest
from ...paths import PRESETS

FOLDER = PRESETS / "pocket" / "drawings"
_INDEX = json.loads((FOLDER / "index.json").read_text(encoding="utf-8"))

#: Emoji names in the order of the image bank.
DRAWINGS: tuple[str, ...] = tuple(_INDEX["drawings"])
#: Concept → its nouns.
NOUNS_OF: dict[str, tuple[str, ...]] = {concept: tuple(nouns) for concept, nouns in _INDEX["nouns"].items()}
CONCEPT_OF: dict[str, str] = {noun: concept for concept, nouns in NOUNS_OF.items() for noun in nouns}
NOUNS: tuple[str, ...] = tuple(CONCEPT_OF)
#: Adjectives of "face".
EXPRESSIONS: tuple[str, ...] = tuple(_INDEX["expressions"])
#: Nouns with a second drawing → that drawing.
SECOND_SENSE: dict[str, str] = _INDEX["second"]

COLORS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white", "gray", "teal")
#: Colours that are nouns as well; "chocolate" is a material beside.
POLYSEMOUS_COLORS = (
    *("orange", "rose", "peach", "olive", "chestnut"),
    *("coral", "lemon", "cherry", "tomato", "chocolate"),
)
PLAIN_COLORS = tuple(color for color in COLORS if color not in POLYSEMOUS_COLORS)
MATERIALS = ("wooden", "golden", "silver", "glass", "stone", "chocolate", "marble", "rusty")
PLAIN_MATERIALS = tuple(material for material in MATERIALS if material not in POLYSEMOUS_COLORS)
PATTERNS = ("striped", "dotted", "checkered", "zigzag", "starry")
WEATHERS = ("rainy", "snowy", "foggy", "sunny", "stormy", "cloudy")
LIGHTS = ("bright", "dark", "dim", "sunset", "moonlit", "spotlight")
STYLES = (
    *("flat", "cartoon", "sketch", "monochrome", "sepia"),
    *("negative", "pixel", "watercolor", "neon", "silhouette"),
)
SIZES = ("tiny", "small", "big", "huge")
COUNTS = {"two": 2, "three": 3, "four": 4}
POSITIONS = ("left", "right", "top", "bottom")
#: Place → how a caption says it.
PLACES = {
    "forest": "in the forest",
    "beach": "on the beach",
    "desert": "in the desert",
    "snow": "in the snow",
    "night": "at night",
    "space": "in space",
    "city": "in the city",
    "ocean": "in the ocean",
    "meadow": "in the meadow",
    "mountains": "in the mountains",
    "room": "in the room",
    "lake": "at the lake",
}

_DRAWING_OF: dict[str, str] = {
    **{noun: drawing for nouns in _INDEX["nouns"].values() for noun, drawing in nouns.items()},
    **{f"{expression} face": drawing for expression, drawing in _INDEX["expressions"].items()},
}


def drawing_of(noun: str) -> str:
    """The drawing a noun ("apple") or a face ("happy face") means first; raises HRVError with the nearest nouns."""
    if noun not in _DRAWING_OF:
        raise HRVError(f'"{noun}" names no drawing of the pocket model. Nearest: {nearest(noun, _DRAWING_OF)}.')
    return _DRAWING_OF[noun]


def plural(noun: str) -> str:
    """'apple' → 'apples', 'cherry' → 'cherries', 'box' → 'boxes', 'glasses' → 'glasses'."""
    if noun.endswith("s"):
        return noun
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + ("es" if noun.endswith(("x", "ch", "sh")) else "s")


def article(words: str) -> str:
    """The words with 'a' or 'an' before them: 'orange car' → 'an orange car'."""
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def vocabulary() -> tuple[str, ...]:
    """Every word a caption can contain, sorted."""
    words = {"a", "an", "and", "of", "on", "at", "in", "the", "picture", "day", "light", "face"}
    for noun in NOUNS:
        *before, last = noun.split()
        words |= {*before, last, plural(last)}
    named = (EXPRESSIONS, COLORS, POLYSEMOUS_COLORS, MATERIALS, PATTERNS, PLACES, WEATHERS, LIGHTS, STYLES, SIZES)
    return tuple(sorted(words.union(*named, COUNTS, POSITIONS)))
