"""What the pocket scorers make of edits and of prompts with several objects.

What was seen is `PocketScorer.read` of the images: probabilities by family [images classes], of squares or of drawings.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from ..benchmarks.editing import EditingPair
from ..benchmarks.several_objects import MultiPrompt
from .drawings.reading import family_of, paint_of, thing_shown
from .drawings.scorer import CLASSES as OF_DRAWINGS
from .scenes import KINDS, kind_of
from .scorer import readable
from .scoring import CLASSES, PRESENT

BORDER = {32: 6, 64: 7}  # px of an image of that side in which objects, large and in the middle, hardly reach
Seen = Mapping[str, Tensor]


def read_edit(pair: EditingPair, before: Seen, after: Seen) -> tuple[Tensor, Tensor]:
    """(edited, kept), booleans [images]: the edited word is read, and what the prompts leave open is as before."""
    assert pair.left_open is not None  # every pair of the pocket benchmarks leaves something open
    family, number = (family_of if _of_drawings(after) else readable)(pair.edited_word)
    edited = after[family].argmax(1) == number
    return edited, before[pair.left_open].argmax(1) == after[pair.left_open].argmax(1)


def border_difference(source: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference of the borders, 0 to 1 [images], of images [images height width 3]."""
    width = BORDER[source.shape[1]]
    border = torch.ones(source.shape[1:3], dtype=torch.bool)
    border[width:-width, width:-width] = False
    return (source - target).abs()[:, border].mean(dim=(1, 2))


def read_several(asked: MultiPrompt, seen: Seen) -> tuple[Tensor, Tensor]:
    """(present, bound), booleans [images]: every noun is seen, and each in the colour of its modifier, if any.

    Of drawings at most two things are told apart; a modifier may be a material too.
    """
    if _of_drawings(seen):
        shown = [(thing_shown(seen, noun), paint_of(seen, noun), OF_DRAWINGS["paint"]) for noun in asked.nouns]
    else:
        places = [KINDS.index(kind_of(noun)) for noun in asked.nouns]
        shown = [(seen["object"][:, place], seen["color_of"][:, place], CLASSES["color"]) for place in places]
    present = torch.stack([there > PRESENT for there, _, _ in shown]).all(dim=0)
    bound = present.clone()
    for (_, paint, legal), modifier in zip(shown, asked.modifiers, strict=True):
        if modifier:
            bound &= paint.argmax(-1) == legal.index(modifier)
    return present, bound


def _of_drawings(seen: Seen) -> bool:
    return "left_object" in seen
