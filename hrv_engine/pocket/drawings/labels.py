"""What the scorer should read from a scene; a label that the image cannot show is hidden."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .layout import CENTRE, SIZE
from .scenes import Scene, Thing
from .scorer import CLASSES

#: Class number of a family that an image cannot show.
HIDDEN = -100
_COLORLESS = ("sketch", "monochrome", "sepia", "negative", "neon", "silhouette")
_PATTERNLESS = ("silhouette", "pixel")
_SIZE_NAMES = {size: name or "usual" for name, size in SIZE.items()}
_POSITION_NAMES = {centre: name for name, centre in CENTRE.items()}
_NUMBERS = {family: {name: number for number, name in enumerate(classes)} for family, classes in CLASSES.items()}


def readable(scene: Scene) -> dict[str, str]:
    """Family → class name, of all that an image of the scene shows.

    Colours do not show in styles without them, nor under coloured or weak light; patterns not in big pixels or on tiny
    things; weather not behind a silhouette.
    """
    shown = {"place": scene.place or "none", "light": scene.light or "none", "style": scene.style or "none"}
    if scene.style != "silhouette":
        shown["weather"] = scene.weather or "none"
    drawings = list(dict.fromkeys(thing.drawing for thing in scene.things))
    pair = len(drawings) == 2
    shown["count"] = "pair" if pair else CLASSES["count"][len(scene.things)]
    colors_show = scene.light is None and scene.style not in _COLORLESS
    if pair:
        left, right = sorted(scene.things, key=lambda thing: thing.x)
        for part, thing in (("left_", left), ("right_", right)):
            shown[f"{part}object"] = thing.drawing
            if colors_show:
                shown[f"{part}paint"] = thing.paint or "natural"
    elif drawings:
        shown |= _of_one(scene.things[0], colors_show)
        if scene.style in _PATTERNLESS or scene.things[0].size == SIZE["tiny"]:
            shown.pop("pattern")
        if len(scene.things) == 1:
            shown |= _of_its_place(scene.things[0])
    return shown


def _of_one(thing: Thing, colors_show: bool) -> dict[str, str]:
    paint = {"paint": thing.paint or "natural"} if colors_show else {}
    return {"object": thing.drawing, "pattern": thing.pattern or "none", **paint}


def _of_its_place(thing: Thing) -> dict[str, str]:
    position = _POSITION_NAMES.get((thing.x, thing.y), "center")
    size = {"size": _SIZE_NAMES[thing.size]} if position == "center" else {}
    return {"position": position, **size}


def labels(scenes: Sequence[Scene]) -> dict[str, Tensor]:
    """Class numbers [n] by family, HIDDEN where a scene does not show it."""
    result = {family: [HIDDEN] * len(scenes) for family in CLASSES}
    for row, scene in enumerate(scenes):
        for family, name in readable(scene).items():
            result[family][row] = _NUMBERS[family][name]
    return {family: torch.tensor(numbers) for family, numbers in result.items()}
