"""The caption grammar: draws a caption together with an image it may describe.

Polysemy comes from the data. "an orange car" is drawn as a car of orange colour or, with probability
:data:`AMBIGUITY`, as an orange beside a car: one caption, two legitimate images, and nothing in the caption tells
which. A noun with two senses ("a mouse") is drawn as either where no other word decides. Pairs that are kept out of
training (`held_out.py`) are never drawn.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Any

from . import words
from .held_out import is_held_out, is_held_out_misreading, may_be_colored
from .layout import stage
from .scenes import Named, Request, Scene

AMBIGUITY = 0.5


@dataclass(frozen=True)
class Caption:
    """A caption's text and one image it may describe; ambiguous: a polysemous colour word stands before its noun."""

    text: str
    scene: Scene
    ambiguous: bool = False


def phrase(thing: Named, size: str | None = None, count: str | None = None) -> str:
    """The noun phrase of a thing: 'a tiny striped red cat', 'three wooden dogs'."""
    *before, noun = thing.noun.split()
    qualities = [word for word in (thing.material, thing.pattern, thing.color, *before) if word]
    if count:
        return " ".join([count, *qualities, words.plural(noun)])
    return words.article(" ".join([*([size] if size else []), *qualities, noun]))


def describe(request: Request, prefix: str = "") -> str:
    """The caption of a request: things, position, place, weather, light; a style (or else the prefix) in front."""
    text = " and ".join(phrase(thing, request.size, request.count) for thing in request.things)
    if request.position:
        text += f" {'on' if request.position in ('left', 'right') else 'at'} the {request.position}"
    if request.place:
        text += f" {words.PLACES[request.place]}"
    if request.weather:
        text += f" on {words.article(request.weather)} day"
    if request.light:
        text += f" in {request.light} light"
    return f"a {request.style} picture of {text}" if request.style else prefix + text


def draw_noun(rng: random.Random) -> str:
    """A noun, half of the time by way of its concept, so that small concepts are not rare."""
    if rng.random() < 0.5:
        return rng.choice(words.NOUNS)
    return rng.choice(words.NOUNS_OF[rng.choice(tuple(words.NOUNS_OF))])


_ALONE = {
    "noun": 6.0,
    "expression": 1.4,
    "color": 2.0,
    "material": 1.5,
    "pattern": 1.0,
    "place": 2.0,
    "weather": 1.2,
    "light": 1.2,
    "style": 2.0,
    "size": 0.8,
    "count": 0.6,
    "position": 0.8,
}
_WORDS: dict[str, tuple[str, ...]] = {
    "color": words.PLAIN_COLORS,
    "material": words.PLAIN_MATERIALS,
    "pattern": words.PATTERNS,
    "place": tuple(words.PLACES),
    "weather": words.WEATHERS,
    "light": words.LIGHTS,
    "style": words.STYLES,
    "size": words.SIZES,
    "count": tuple(words.COUNTS),
    "position": words.POSITIONS,
}


def _single_word(rng: random.Random) -> Caption:
    """A word standing alone, as votes encode it; what else the image shows is left open."""
    family = rng.choices(tuple(_ALONE), tuple(_ALONE.values()))[0]
    noun = draw_noun(rng)
    if family == "noun":
        return Caption(noun, stage(Request((Named(noun),)), rng))
    if family == "expression":
        word = rng.choice(words.EXPRESSIONS)
        return Caption(word, stage(Request((Named(f"{word} face"),)), rng))
    word = rng.choice(_WORDS[family])
    named: dict[str, Any] = {family: word}
    if family in ("color", "material", "pattern"):
        return Caption(word, stage(Request((Named(noun, **named),)), rng))
    things = () if family == "place" else (Named(noun),)
    return Caption(word, stage(Request(things, **named), rng))


def _polysemous(rng: random.Random) -> Caption:
    """'an orange car': a colour, or a thing beside a car."""
    while True:
        color, noun = rng.choice(words.POLYSEMOUS_COLORS), draw_noun(rng)
        if may_be_colored(noun, color) and not is_held_out_misreading(color, noun):
            break
    asked = Request((Named(noun, color),))
    as_things = Request((Named(color), Named(noun)))
    return Caption(describe(asked), stage(as_things if rng.random() < AMBIGUITY else asked, rng), ambiguous=True)


def _two_things(rng: random.Random) -> Caption:
    """'a red cat and a house': the first named stands on the left."""
    first = second = draw_noun(rng)
    while second == first or is_held_out(first, second):
        second = draw_noun(rng)
    colors = [rng.choice(words.PLAIN_COLORS) if rng.random() < 0.35 else None for _ in range(2)]
    if colors[0] == colors[1]:
        colors[1] = None
    things = tuple(Named(noun, color) for noun, color in zip((first, second), colors, strict=True))
    request = Request(things, place=rng.choice(_WORDS["place"]) if rng.random() < 0.2 else None)
    return Caption(describe(request), stage(request, rng))


#: Attributes that a caption of one thing may add, with their weights.
_EXTRAS = {
    "color": 3.0,
    "material": 1.6,
    "pattern": 1.2,
    "place": 2.2,
    "weather": 1.3,
    "light": 1.3,
    "style": 2.0,
    "size": 1.0,
    "count": 0.8,
    "position": 0.9,
}
#: An attribute and those that give way to it.
_GIVES_WAY = {
    "material": ("color", "pattern"),
    "size": ("count", "position"),
    "count": ("position",),
    "place": ("weather",),
    "light": ("style", "weather"),
}


def one_thing(rng: random.Random, extras: int) -> Caption:
    """One thing (or several alike, or a face) with up to `extras` further attributes."""
    chosen = set(rng.choices(tuple(_EXTRAS), tuple(_EXTRAS.values()), k=extras))
    for family, weaker in _GIVES_WAY.items():
        if family in chosen:
            chosen.difference_update(weaker)
    named = {family: rng.choice(_WORDS[family]) for family in _EXTRAS if family in chosen}
    thing = Named(draw_noun(rng))
    if rng.random() < 0.07:
        thing = Named(f"{rng.choice(words.EXPRESSIONS)} face")
        named.pop("count", None)
    surface: dict[str, Any] = {family: named.pop(family, None) for family in ("color", "material", "pattern")}
    whole: dict[str, Any] = named
    request = Request((replace(thing, **surface),), **whole)
    prefix = "a picture of " if rng.random() < 0.08 else ""
    return Caption(describe(request, prefix), stage(request, rng))


def draw_caption(rng: random.Random, progress: float = 1.0) -> Caption:
    """A random caption; `progress` in 0..1 moves the mixture from plain single things to the full grammar."""
    full = min(1.0, max(0.0, (progress - 0.08) / 0.25))
    alone, polysemous, two = 0.08, 0.05 * full, 0.12 * full
    family = rng.choices("wpto", (alone, polysemous, two, 1 - alone - polysemous - two))[0]
    if family == "w":
        return _single_word(rng)
    if family == "p":
        return _polysemous(rng)
    if family == "t":
        return _two_things(rng)
    extras = rng.choices((0, 1, 2, 3), (0.5 - 0.3 * full, 0.4, 0.1 + 0.2 * full, 0.1 * full))[0]
    return one_thing(rng, extras)
