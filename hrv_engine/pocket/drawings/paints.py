"""Colours and materials as three shades each, by which the brightness of a drawing is coloured anew."""

from __future__ import annotations

import torch
from torch import Tensor

from .words import MATERIALS

#: Shadow, middle and light of every colour word; the last eight are colours of things.
SHADES: dict[str, tuple[str, str, str]] = {
    "red": ("6b0012", "e0202c", "ffb0a8"),
    "orange": ("7a3000", "f58a1c", "ffe0b0"),
    "yellow": ("8a6a00", "fbd524", "fff6c0"),
    "green": ("003d14", "2fa84a", "c4f0b8"),
    "blue": ("001a6b", "2462e6", "b4d4ff"),
    "purple": ("2c0052", "8a3bd0", "e2c4ff"),
    "pink": ("8a1650", "ff7ab8", "ffe2f0"),
    "brown": ("2e1606", "8b5a2b", "dcb88c"),
    "black": ("000000", "26262b", "70707a"),
    "white": ("9a9aa2", "eeeef2", "ffffff"),
    "gray": ("2c2c30", "8a8a90", "dadade"),
    "teal": ("003838", "18a8a0", "b8f4ee"),
    "rose": ("6b1030", "e8607f", "ffd0d8"),
    "peach": ("8a4a30", "ffb08a", "ffe8d8"),
    "olive": ("2a2c00", "808020", "d0d090"),
    "chestnut": ("2a0c04", "8a3a22", "d09880"),
    "coral": ("7a2418", "ff7058", "ffd0c4"),
    "lemon": ("8a8000", "fff04a", "fffcd0"),
    "cherry": ("4a0008", "b01030", "f0a0a8"),
    "tomato": ("6b1400", "f04a2c", "ffc0a8"),
    "wooden": ("3a1c08", "9a6a38", "d8ac70"),
    "golden": ("5a3800", "d8a018", "fff4b0"),
    "silver": ("3a3e48", "a8b0bc", "fafcff"),
    "glass": ("5a90a8", "b0dcec", "f4fcff"),
    "stone": ("3a3834", "86827a", "c4c0b8"),
    "chocolate": ("1c0a02", "5c3014", "a8744c"),
    "marble": ("a8a8b0", "e6e6ea", "ffffff"),
    "rusty": ("34140a", "a0481c", "d89058"),
}
PAINTS = tuple(SHADES)
#: Materials that shine: their brightness is spread this much more.
CONTRAST = {"golden": 1.6, "silver": 1.6, "chocolate": 1.6}
OPACITY = {"glass": 0.55}
LUMA = (0.299, 0.587, 0.114)


def rgb(code: str) -> tuple[float, float, float]:
    """'ff7058' as red, green and blue in 0..1."""
    red, green, blue = (int(code[start : start + 2], 16) / 255 for start in (0, 2, 4))
    return red, green, blue


def shades() -> Tensor:
    """Shadow, middle and light [1 + paints, 3, 3] in 0..1; row 0, of no paint, is black."""
    return torch.tensor([[(0.0, 0.0, 0.0)] * 3, *([rgb(code) for code in codes] for codes in SHADES.values())])


def material_of(paint: str | None) -> int:
    """Number of the material, from 1, or 0 for a colour or none."""
    return 1 + MATERIALS.index(paint) if paint in MATERIALS else 0


def per_material(values: dict[str, float]) -> Tensor:
    """One value [1 + materials] for each material number; 1 for those not named."""
    return torch.tensor([1.0, *(values.get(material, 1.0) for material in MATERIALS)])
