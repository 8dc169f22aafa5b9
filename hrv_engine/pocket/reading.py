"""What the pocket scorer makes of edits and of prompts with several objects."""

from collections.abc import Mapping

import torch
from torch import Tensor

from ..benchmarks.editing import EditingPair
from ..benchmarks.several_objects import MultiPrompt
from .scenes import KINDS, kind_of
from .scorer import readable
from .scoring import CLASSES, PRESENT

BORDER = 6  # px of a 32 px image in which objects, large and in the middle, hardly reach


def read_edit(pair: EditingPair, before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """(edited, kept), booleans [images]: the edited word is read, and what the prompts leave open is as before.

    before, after: what the scorer saw of source and target, probabilities by family [images classes].
    """
    assert pair.left_open is not None  # every pair of the pocket benchmark leaves something open
    family, number = readable(pair.edited_word)
    edited = after[family].argmax(1) == number
    return edited, before[pair.left_open].argmax(1) == after[pair.left_open].argmax(1)


def border_difference(source: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference of the borders, 0 to 1 [images], of images [images height width 3]."""
    border = torch.ones(source.shape[1:3], dtype=torch.bool)
    border[BORDER:-BORDER, BORDER:-BORDER] = False
    return (source - target).abs()[:, border].mean(dim=(1, 2))


def read_several(asked: MultiPrompt, seen: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """(present, bound), booleans [images]: every noun is seen, and each in the colour of its modifier, if any."""
    places = [KINDS.index(kind_of(noun)) for noun in asked.nouns]
    present = (seen["object"][:, places] > PRESENT).all(dim=1)
    bound = present.clone()
    for place, colour in zip(places, asked.modifiers, strict=True):
        if colour:
            bound &= seen["color_of"][:, place].argmax(-1) == CLASSES["color"].index(colour)
    return present, bound
