"""Where the things of a request stand: one in the middle, two side by side, copies on a grid."""

from __future__ import annotations

import random

from .scenes import Named, Request, Scene, Thing
from .words import COUNTS, SECOND_SENSE, drawing_of

SIZE = {None: 0.76, "tiny": 0.26, "small": 0.42, "big": 0.98, "huge": 1.3}
CENTRE = {"left": (-0.5, 0.05), "right": (0.5, 0.05), "top": (0.0, -0.5), "bottom": (0.0, 0.5)}
POSITION_SIZE = 0.46
GRID = {
    2: ((-0.46, 0.02), (0.46, 0.02)),
    3: ((-0.5, 0.36), (0.5, 0.36), (0.0, -0.42)),
    4: ((-0.46, -0.44), (0.46, -0.44), (-0.46, 0.44), (0.46, 0.44)),
}
GRID_SIZE = 0.44
PAIR = ((-0.45, 0.05), (0.45, 0.05))
PAIR_SIZE = 0.5
#: Share of a noun with two senses that is drawn as the second, where nothing else in the caption tells.
SECOND_SENSE_SHARE = 0.5


def is_open(request: Request) -> bool:
    """Whether a noun with two senses may be either: colours, places and company go with the first sense only."""
    thing = request.things[0] if len(request.things) == 1 else None
    plain = thing is not None and not (thing.color or thing.material or thing.pattern)
    return plain and not (request.count or request.place or request.weather)


def stage(request: Request, rng: random.Random) -> Scene:
    """One image that shows the request; the first named of two things stands on the left."""
    second = is_open(request) and request.things[0].noun in SECOND_SENSE and rng.random() < SECOND_SENSE_SHARE
    if len(request.things) == 2:
        spots = [(*centre, PAIR_SIZE) for centre in PAIR]
    elif request.count:
        spots = [(*centre, GRID_SIZE) for centre in GRID[COUNTS[request.count]]]
    elif request.position:
        spots = [(*CENTRE[request.position], POSITION_SIZE)]
    else:
        spots = [(0.0, 0.0, SIZE[request.size])]
    things = request.things * len(spots) if request.count else request.things
    drawn = tuple(_place(thing, spot, second) for thing, spot in zip(things, spots, strict=False))
    return Scene(drawn, request.place, request.weather, request.light, request.style)


def _place(thing: Named, spot: tuple[float, float, float], second: bool) -> Thing:
    drawing = SECOND_SENSE[thing.noun] if second else drawing_of(thing.noun)
    return Thing(drawing, thing.color or thing.material, thing.pattern, *spot)
