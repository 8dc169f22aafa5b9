"""The caption grammar: draws a caption together with the pictures it may describe.

Polysemy comes from the data. "an orange square" (one shape, a polysemous colour word) is drawn as an orange-coloured
square or, with probability :data:`AMBIGUITY`, as an orange beside a square of some other colour: one caption, two
legitimate pictures, and nothing in the caption that tells which. Everywhere else these words have one sense only.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Any

from . import scenes as world
from .scenes import Scene, Thing, kind_of, noun_of

AMBIGUITY = 0.5
_WORDS = {
    "scene": world.SCENES,
    "weather": world.WEATHERS,
    "style": world.STYLES,
    "pattern": world.PATTERNS,
    "material": world.MATERIALS,
    "size": world.SIZES,
    "position": world.POSITIONS,
    "count": world.COUNTS,
}
_PLURALS = {"cherry": "cherries", "cross": "crosses", "peach": "peaches", "cactus": "cactuses"}


@dataclass(frozen=True)
class Caption:
    """A caption's text and the scene it names; :meth:`picture` draws what it leaves open anew each time."""

    text: str
    scene: Scene
    ambiguous: bool = False
    open_color: bool = False
    open_kind: tuple[str, ...] = ()

    def picture(self, rng: random.Random) -> Scene:
        """One scene that the caption may describe."""
        scene = self.scene
        if self.open_kind:
            kind = rng.choice(self.open_kind)
            scene = replace(scene, things=tuple(replace(thing, kind=kind) for thing in scene.things))
        if self.ambiguous and rng.random() < AMBIGUITY:
            shape = scene.things[0]
            other = rng.choice(world.PLAIN_COLORS)
            return replace(scene, things=(Thing(kind_of(shape.color or "")), replace(shape, color=other)))
        if self.open_color:
            things = tuple(
                replace(thing, color=rng.choice(world.PLAIN_COLORS))
                if thing.color is None and thing.kind in world.SHAPES
                else thing
                for thing in scene.things
            )
            scene = replace(scene, things=things)
        return scene


def article(words: str) -> str:
    """'a' or 'an' in front of the words: 'orange square' → 'an orange square'."""
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def phrase(thing: Thing, size: str | None = None, count: int = 1) -> str:
    """The noun phrase of a thing: 'a small wooden striped red star', 'three cherries'."""
    noun = noun_of(thing.kind)
    words = [word for word in (size, thing.material, thing.pattern, thing.color) if word]
    if count > 1:
        return " ".join([world.COUNTS[count - 2], *words, _PLURALS.get(noun, noun + "s")])
    return article(" ".join([*words, noun]))


def describe(scene: Scene, prefix: str = "") -> str:
    """The caption of a scene: things, position, place, weather; a style (or else the prefix) in front."""
    text = " and ".join(phrase(thing, scene.size, scene.count) for thing in scene.things)
    if scene.position:
        text += f" {'on' if scene.position in ('left', 'right') else 'at'} the {scene.position}"
    if scene.scene:
        text += " at night" if scene.scene == "night" else f" in the {scene.scene}"
    if scene.weather:
        text += f" on a {scene.weather} day"
    if scene.style in ("sketch", "negative"):
        return f"a {scene.style} of {text}"
    if scene.style:
        return f"a {scene.style} photo of {text}"
    return prefix + text


def _draw_thing(rng: random.Random, groups: tuple[float, float, float] = (0.58, 0.23, 0.19)) -> Thing:
    """A shape with a colour, or a fruit or plant, mostly in its natural colour."""
    group = rng.choices("sfp", groups)[0]
    if group == "s":
        return Thing(rng.choice(world.SHAPES), rng.choice(list(world.COLORS)))
    kind = kind_of(rng.choice(world.FRUITS if group == "f" else world.PLANTS))
    return Thing(kind, rng.choice(world.PLAIN_COLORS) if rng.random() < 0.12 else None)


def _single_word(rng: random.Random) -> Caption:
    """A concept word standing alone, as HRV votes encode it."""
    family = rng.choices(
        ("color", "shape", "thing", "scene", "weather", "style", "pattern", "material", "size", "position", "count"),
        (3, 2, 4, 2, 2, 2, 2, 2, 1.2, 1.2, 1.2),
    )[0]
    any_shape, blank = world.SHAPES, Thing("circle")
    if family == "color":
        word = rng.choice(world.PLAIN_COLORS)
        return Caption(word, Scene((Thing("circle", word),)), open_kind=any_shape)
    if family == "shape":
        word = rng.choice(world.SHAPES)
        return Caption(word, Scene((Thing(word),)), open_color=True)
    if family == "thing":
        word = rng.choice(world.FRUITS + world.PLANTS)
        return Caption(word, Scene((Thing(kind_of(word)),)))
    if family in ("scene", "weather"):
        word = rng.choice(_WORDS[family])
        whole: dict[str, Any] = {family: word}
        return Caption(word, Scene(**whole))
    word = rng.choice(_WORDS[family])
    things = (replace(blank, **{family: word}),) if family in ("pattern", "material") else (blank,)
    attributes = {family: word} if family in ("style", "size", "position") else {}
    count = world.COUNTS.index(word) + 2 if family == "count" else 1
    return Caption(word, Scene(things, count=count, **attributes), open_color=True, open_kind=any_shape)


def _two_things(rng: random.Random) -> Caption:
    """'a red circle and a pear': the first named stands on the left."""
    first = second = _draw_thing(rng)
    while second.kind == first.kind or second.color is not None and second.color == first.color:
        second = _draw_thing(rng)
    place = rng.choice(world.SCENES) if rng.random() < 0.15 else None
    scene = Scene((first, second), scene=place)
    return Caption(describe(scene), scene)


def _polysemous(rng: random.Random) -> Caption:
    """'an orange square': a colour, or a thing beside a square."""
    thing = Thing(rng.choice(world.SHAPES), rng.choice(world.POLYSEMOUS))
    place = rng.choice(world.SCENES) if rng.random() < 0.25 else None
    scene = Scene((thing,), scene=place)
    return Caption(describe(scene), scene, ambiguous=True)


#: Attributes a single-object caption may add, with their weights.
_EXTRAS = {
    "scene": 3.0,
    "weather": 2.0,
    "pattern": 2.2,
    "material": 2.0,
    "style": 1.6,
    "size": 1.6,
    "position": 1.6,
    "count": 1.4,
}
_EXCLUSIVE = ({"size", "position", "count"}, {"pattern", "material"}, {"style", "weather"})


def _single_thing(rng: random.Random, extras: int) -> Caption:
    """One object (or several alike) with up to `extras` further attributes."""
    thing = _draw_thing(rng)
    chosen: set[str] = set()
    for _ in range(extras):
        closed = chosen.union(*(group for group in _EXCLUSIVE if chosen & group))
        allowed = [name for name in _EXTRAS if name not in closed]
        chosen.add(rng.choices(allowed, [_EXTRAS[name] for name in allowed])[0])
    words = {name: rng.choice(_WORDS[name]) for name in sorted(chosen - {"count"})}
    thing = replace(thing, pattern=words.pop("pattern", None), material=words.pop("material", None))
    count = rng.choice((2, 3, 4)) if "count" in chosen else 1
    open_color = thing.kind in world.SHAPES and rng.random() < 0.1
    if open_color:
        thing = replace(thing, color=None)
    scene = Scene((thing,), count=count, **words)
    prefix = rng.choice(("a photo of ", "a picture of ")) if rng.random() < 0.12 else ""
    # Alone, or in a place, a polysemous colour word on a shape can be read both ways.
    ambiguous = thing.kind in world.SHAPES and thing.color in world.POLYSEMOUS and chosen <= {"scene"}
    return Caption(describe(scene, prefix), scene, ambiguous=ambiguous, open_color=open_color)


def draw_caption(rng: random.Random, progress: float = 1.0) -> Caption:
    """A random caption; `progress` in 0..1 moves the mixture from plain single objects to the full grammar."""
    full = min(1.0, max(0.0, (progress - 0.12) / 0.38))
    two = 0.2 * min(1.0, max(0.0, (progress - 0.35) / 0.2))
    alone, polysemous = 0.08, 0.02 + 0.07 * full
    family = rng.choices("wpts", (alone, polysemous, two, 1 - alone - polysemous - two))[0]
    if family == "w":
        return _single_word(rng)
    if family == "p":
        return _polysemous(rng)
    if family == "t":
        return _two_things(rng)
    plain = 0.65 * (1 - full) + 0.2 * full
    extras = rng.choices((0, 1, 2, 3), (plain, 0.3 + 0.22 * full, 0.05 + 0.18 * full, 0.05 * full))[0]
    return _single_thing(rng, extras)


def vocabulary() -> tuple[str, ...]:
    """Every word a caption can contain, sorted."""
    nouns = world.SHAPES + world.FRUITS + world.PLANTS
    words = {"a", "an", "and", "at", "day", "in", "of", "on", "photo", "picture", "the", *world.COLORS, *nouns}
    words = words.union(*_WORDS.values(), (_PLURALS.get(noun, noun + "s") for noun in nouns))
    return tuple(sorted(words))
