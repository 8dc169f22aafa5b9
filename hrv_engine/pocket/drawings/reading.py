"""What the scorer's probabilities say of a word, of a thing's colour, and of a caption that can be misread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from ...errors import HRVError, nearest
from .paints import SHADES, rgb
from .scorer import CLASSES, OF_THE_IMAGE
from .words import COUNTS, DRAWINGS, EXPRESSIONS, NOUNS, SECOND_SENSE, drawing_of, plural

Scores = Mapping[str, Tensor]
#: Probability from which a thing counts as shown.
PRESENT = 0.5
#: Probability from which a colour counts as shown (tools/figures/effect/criterion.py tries it on renders), and the
#: distance of middle tones up to which one colour is taken for another.
SEEN, NEAR = 0.25, 0.35
_PAIR = CLASSES["count"].index("pair")
_SINGULAR = {plural(noun): noun for noun in NOUNS} | {noun: noun for noun in NOUNS}


def drawings_meant(noun: str) -> tuple[str, ...]:
    """Every drawing that a noun ("mouse", "apples", "happy face") may be, or the drawing of that name."""
    noun = _SINGULAR.get(noun, noun)
    if noun in DRAWINGS and noun not in NOUNS:
        return (noun,)
    first = drawing_of(noun)
    return (first, SECOND_SENSE[noun]) if noun in SECOND_SENSE else (first,)


def _shown(scores: Scores, family: str, classes: list[int]) -> Tensor:
    """Probability [n] that any of the classes is shown by the only thing, or by one of a pair."""
    pair = scores["count"][:, _PAIR]
    left, right = (scores[f"{side}_{family}"][:, classes].sum(1) for side in ("left", "right"))
    return pair * torch.maximum(left, right) + (1 - pair) * scores[family][:, classes].sum(1)


def thing_shown(scores: Scores, noun: str) -> Tensor:
    """Probability [n] that the image shows what the noun means, in either of its senses."""
    numbers = [DRAWINGS.index(drawing) for drawing in drawings_meant(noun)]
    some = 1 - scores["count"][:, CLASSES["count"].index("none")]
    return some * _shown(scores, "object", numbers)


def paint_of(scores: Scores, noun: str) -> Tensor:
    """Probabilities [n, paints] of the colour or material of a thing: of its half, if two things are shown."""
    numbers = [DRAWINGS.index(drawing) for drawing in drawings_meant(noun)]
    left, right = (scores[f"{side}_object"][:, numbers].sum(1) for side in ("left", "right"))
    of_pair = torch.where((left >= right)[:, None], scores["left_paint"], scores["right_paint"])
    is_pair = scores["count"].argmax(1) == _PAIR
    return torch.where(is_pair[:, None], of_pair, scores["paint"])


def word_shown(scores: Scores, text: str) -> Tensor:
    """Probability [n] that the image shows a word; raises HRVError with the nearest words for one it cannot read.

    A word that is a colour and a thing is the colour: "orange". With an article it is the thing: "an orange".
    """
    word = " ".join(text.casefold().split())
    noun = word.split(" ", 1)[-1] if word.startswith(("a ", "an ")) else word
    if noun == word:
        if word in CLASSES["paint"] and word != "natural":
            return _shown(scores, "paint", [CLASSES["paint"].index(word)])
        if word in COUNTS or word == "one":
            count = scores["count"][:, CLASSES["count"].index(word)]
            return count + scores["count"][:, _PAIR] if word == "two" else count
        for family, classes in OF_THE_IMAGE.items():
            if word in classes and word not in ("none", "usual", "pair"):
                return scores[family][:, classes.index(word)]
        if word in EXPRESSIONS:
            noun = f"{word} face"
    if noun in DRAWINGS or noun in _SINGULAR or noun.removesuffix(" face") in EXPRESSIONS:
        return thing_shown(scores, noun)
    legal = {*_SINGULAR, *EXPRESSIONS, *(name for family in OF_THE_IMAGE.values() for name in family)}
    legal |= set(CLASSES["paint"])
    raise HRVError(f'The scorer of drawings cannot read "{text}". Nearest: {nearest(word, sorted(legal))}.')


def family_of(word: str) -> tuple[str, int]:
    """(family, class) of a word that is no thing: a colour, material, pattern, place, style ...; raises HRVError."""
    for family in ("paint", *OF_THE_IMAGE):
        if word in CLASSES[family] and word not in ("none", "usual", "natural", "pair"):
            return family, CLASSES[family].index(word)
    legal = [name for family in ("paint", *OF_THE_IMAGE) for name in CLASSES[family]]
    raise HRVError(f'The scorer of drawings reads no word "{word}" besides things. Nearest: {nearest(word, legal)}.')


@cache
def near(color: str) -> tuple[str, ...]:
    """The paints whose middle tone differs from a colour's by at most NEAR, of a cube of side 1; itself among them."""
    middle = {name: torch.tensor(rgb(codes[1])) for name, codes in SHADES.items()}
    return tuple(name for name in middle if (middle[name] - middle[color]).norm() <= NEAR)


def color_shown(scores: Scores, noun: str, color: str) -> Tensor:
    """Whether the thing, as far as its paint is read, may have the colour or one hardly told from it, bool [n]."""
    allowed = [CLASSES["paint"].index(name) for name in near(color)]
    return paint_of(scores, noun)[:, allowed].sum(1) > SEEN


@dataclass(frozen=True)
class Senses:
    """What the scorer saw of "an orange car", one boolean [n] each."""

    thing: Tensor  # the colour word as a thing, or any second thing
    noun: Tensor
    color: Tensor

    @property
    def misread(self) -> Tensor:
        """A second thing is there, or the asked colour is not; which thing has it is another question."""
        return self.thing | ~self.color

    @property
    def intended(self) -> Tensor:
        """The noun is there, alone and in that colour."""
        return self.noun & ~self.misread


def read_senses(scores: Scores, color: str, noun: str) -> Senses:
    """How images of a caption that puts a polysemous colour word before a noun were read."""
    return Senses(
        thing=(thing_shown(scores, color) > PRESENT) | (scores["count"].argmax(1) == _PAIR),
        noun=thing_shown(scores, noun) > PRESENT,
        color=color_shown(scores, noun, color),
    )
