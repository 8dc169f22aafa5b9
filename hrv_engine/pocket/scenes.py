"""The world the pocket model knows: its words, and the specification of one image.

A :class:`Scene` says everything a renderer needs except the small jitters; a caption names part of it (`captions.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

SHAPES = ("circle", "square", "triangle", "star", "heart", "cross")
FRUITS = ("apple", "banana", "cherry", "grape", "pear", "orange", "lime", "peach")
PLANTS = ("tulip", "cactus", "tree", "mushroom", "sunflower", "rose", "lavender")
PATTERNS = ("striped", "dotted", "checkered", "zigzag")
MATERIALS = ("metal", "glass", "wooden", "furry")
SCENES = ("forest", "desert", "city", "ocean", "meadow", "night")
WEATHERS = ("rainy", "snowy", "foggy", "sunny", "stormy")
STYLES = ("sketch", "pixelated", "vintage", "negative", "blurry")
SIZES = ("tiny", "small", "large", "huge")
POSITIONS = ("left", "right", "top", "bottom")
COUNTS = ("two", "three", "four")

#: RGB in 0..1. The last five words are polysemous: each is also a fruit or a plant.
COLORS: dict[str, tuple[float, float, float]] = {
    "red": (0.92, 0.06, 0.06),
    "green": (0.06, 0.55, 0.12),
    "blue": (0.08, 0.22, 0.95),
    "yellow": (0.98, 0.9, 0.06),
    "purple": (0.48, 0.05, 0.66),
    "cyan": (0.0, 0.8, 0.85),
    "white": (0.99, 0.99, 0.99),
    "black": (0.03, 0.03, 0.03),
    "orange": (1.0, 0.5, 0.0),
    "lime": (0.65, 1.0, 0.1),
    "peach": (1.0, 0.75, 0.55),
    "rose": (0.97, 0.3, 0.52),
    "lavender": (0.75, 0.62, 0.97),
}
POLYSEMOUS = ("orange", "lime", "peach", "rose", "lavender")
PLAIN_COLORS = tuple(color for color in COLORS if color not in POLYSEMOUS)
KINDS = SHAPES + tuple(f"{fruit} fruit" for fruit in FRUITS) + tuple(f"{plant} plant" for plant in PLANTS)


def kind_of(word: str) -> str:
    """The thing a noun names: 'circle' → 'circle', 'rose' → 'rose plant', 'orange' → 'orange fruit'."""
    if word in SHAPES:
        return word
    if word in FRUITS:
        return f"{word} fruit"
    if word in PLANTS:
        return f"{word} plant"
    raise ValueError(f"{word!r} names no object; objects are: {', '.join(SHAPES + FRUITS + PLANTS)}")


def noun_of(kind: str) -> str:
    """The noun of a kind: 'orange fruit' → 'orange'."""
    return kind.split(" ")[0]


@dataclass(frozen=True)
class Thing:
    """One sort of object in an image; ``color`` None means its natural colour (fruits and plants only)."""

    kind: str
    color: str | None = None
    pattern: str | None = None
    material: str | None = None


@dataclass(frozen=True)
class Scene:
    """One image: one thing (perhaps several copies of it), or two things side by side, or none."""

    things: tuple[Thing, ...] = ()
    scene: str | None = None
    weather: str | None = None
    style: str | None = None
    size: str | None = None
    position: str | None = None
    count: int = 1
