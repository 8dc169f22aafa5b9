"""What a caption asks for and what an image shows, as plain data.

A :class:`Request` says what is named; a :class:`Scene` is one image of it: which drawing is where, in which colours.
Coordinates are half images from the centre (x to the right, y down), sizes multiples of the image's side.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Named:
    """A thing as a caption names it: "apple" or "happy face", at most one of color and material."""

    noun: str
    color: str | None = None
    material: str | None = None
    pattern: str | None = None


@dataclass(frozen=True)
class Request:
    """All that one caption names; size, position and count belong to its only thing."""

    things: tuple[Named, ...] = ()
    size: str | None = None
    position: str | None = None
    count: str | None = None
    place: str | None = None
    weather: str | None = None
    light: str | None = None
    style: str | None = None


@dataclass(frozen=True)
class Thing:
    """One drawing in an image; ``paint`` is a colour or a material, None its own colours."""

    drawing: str
    paint: str | None = None
    pattern: str | None = None
    x: float = 0.0
    y: float = 0.0
    size: float = 0.76


@dataclass(frozen=True)
class Scene:
    """One image: up to four things, later ones in front, and what lies around and over them."""

    things: tuple[Thing, ...] = ()
    place: str | None = None
    weather: str | None = None
    light: str | None = None
    style: str | None = None
