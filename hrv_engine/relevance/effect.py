r"""Relevance by effect: how much a head, turned on a word's values alone, turns the prediction the word's way.

    d = eps(x_t, with the word) - eps(x_t, without it)
    f(r) = <eps(x_t, with; r), d> / <d, d>         r_h scales the word's value rows in head h
    relevance of head h = df/dr_h at r = 1, or its mean over r = s 1 with s from 0 to 1 (integrated)

f(1) - f(0) is the part of d that goes through the word's own values; integrated relevance sums to it over the heads.
The sign is kept: a negative head works against the concept. Sums are whole numbers of UNIT, so that parts of a build
add up to the bytes of one build in any order.
"""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..attention.heads import HeadLayout
from ..errors import HRVError
from .adding import PartialSums, check_size
from .concepts import ConceptSet
from .parts import Part, joined
from .relevance import HeadRelevance

UNIT = 2.0**-24  # of the sums
MOST_EFFECT = 2.0**24  # of one sample; a million of them stay within int64
MOST_ROUNDING = 4  # |d| is told from rounding when it is this many times eps of the model's type


@dataclass(frozen=True)
class HeadEffects(PartialSums):
    """Effects that add up over images and partial builds.

    sums: int64 [words, heads] in UNIT, a row for every concept word, in order of the concepts; samples: int64 [words],
    how many were summed; errors: int64 [words, heads], squared standard errors in UNIT, for estimates without a
    gradient; recipe, parts: as in HeadVotes.
    """

    sums: np.ndarray
    samples: np.ndarray
    concepts: ConceptSet
    layout: HeadLayout
    recipe: dict[str, Any] = field(default_factory=dict)
    parts: tuple[Part, ...] = ()
    errors: np.ndarray | None = None

    def __post_init__(self) -> None:
        words = sum(len(concept.words) for concept in self.concepts.concepts)
        shape = (words, self.layout.total)
        every = (self.sums, self.samples) if self.errors is None else (self.sums, self.samples, self.errors)
        shapes = [shape, (words,), shape][: len(every)]
        if any(one.shape != wanted or one.dtype != np.int64 for one, wanted in zip(every, shapes, strict=True)):
            raise HRVError(f"Effects must be int64 of shape [words, heads] = {shape}, not {self.sums.shape}.")

    @classmethod
    def none(
        cls, concepts: ConceptSet, layout: HeadLayout, recipe: dict[str, Any], with_errors: bool = False
    ) -> "HeadEffects":
        """Nothing measured yet; raises HRVError for more words and heads than a file may hold."""
        words = sum(len(concept.words) for concept in concepts.concepts)
        check_size(
            (words, layout.total), f"The effects of {words} words and {layout.total} heads", "Use fewer concept words."
        )
        zeros: np.ndarray = np.zeros((words, layout.total), np.int64)
        samples: np.ndarray = np.zeros(words, np.int64)
        return cls(zeros, samples, concepts, layout, dict(recipe), (), zeros.copy() if with_errors else None)

    def emptied(self) -> "HeadEffects":
        """The same build with nothing measured."""
        return self.none(self.concepts, self.layout, self.recipe, self.errors is not None)

    def with_samples(
        self, rows: list[int], effects: np.ndarray, parts: tuple[Part, ...], errors: np.ndarray | None = None
    ) -> "HeadEffects":
        """These and some samples more: effects float [samples heads] of the words `rows`, errors their squares."""
        sums, samples = self.sums.copy(), self.samples.copy()
        np.add.at(sums, rows, fixed(effects))
        np.add.at(samples, rows, 1)
        squares = self.errors
        if squares is not None and errors is not None:
            squares = squares.copy()
            np.add.at(squares, rows, fixed(errors))
        return replace(self, sums=sums, samples=samples, errors=squares, parts=joined((*self.parts, *parts)))

    @property
    def nbytes(self) -> int:
        """The memory that the sums take."""
        return self.sums.nbytes * (1 if self.errors is None else 2)

    def __add__(self, other: "HeadEffects") -> "HeadEffects":
        """The sum of two parts, in either order; raises HRVError that names the setting in which they differ."""
        self.check_addable(other)
        both = self.errors is not None and other.errors is not None
        return HeadEffects(
            self.sums + other.sums,
            self.samples + other.samples,
            min(self.concepts, other.concepts, key=lambda concepts: concepts.name),
            self.layout,
            self.recipe | other.recipe,
            joined(self.parts + other.parts),
            self.errors + other.errors if both else None,  # type: ignore[operator]
        )

    @property
    def word_means(self) -> np.ndarray:
        """The mean effect of every word, float64 [words heads]: parts of d; zeros for a word without samples."""
        return self.sums * UNIT / np.maximum(self.samples, 1)[:, None]

    @property
    def means(self) -> np.ndarray:
        """The mean over the words of every concept that have samples, float64 [concepts heads]: parts of d."""
        return self._over_words(self.word_means)

    @property
    def standard_errors(self) -> np.ndarray | None:
        """The standard errors of `means`, float64 [concepts heads]; None where a gradient gave the effects."""
        if self.errors is None:
            return None
        squares = self.errors * UNIT / np.maximum(self.samples, 1)[:, None] ** 2
        words = [self.samples[rows] > 0 for rows in self.rows]
        total = np.stack([squares[rows].sum(axis=0) for rows in self.rows])
        return np.sqrt(total) / np.array([[max(int(used.sum()), 1)] for used in words])

    @property
    def rows(self) -> list[slice]:
        """The rows of each concept's words."""
        edges = np.cumsum([0, *(len(concept.words) for concept in self.concepts.concepts)])
        return [slice(int(a), int(b)) for a, b in zip(edges[:-1], edges[1:], strict=True)]

    def relevance(self) -> HeadRelevance:
        """Vectors: `signed` scaled so that its positive part, `values`, has L1 = H; a concept without any is 0."""
        means = self.means
        positive = np.maximum(means, 0).sum(axis=1, keepdims=True)
        signed = (means * self.layout.total / np.where(positive > 0, positive, 1)).astype(np.float32)
        signed[positive[:, 0] <= 0] = 0
        return HeadRelevance(np.maximum(signed, 0), self.concepts, self.layout, signed=signed, effects=self)

    def _over_words(self, by_word: np.ndarray) -> np.ndarray:
        means = np.zeros((len(self.rows), self.layout.total))
        for number, rows in enumerate(self.rows):
            used = self.samples[rows] > 0
            if used.any():
                means[number] = by_word[rows][used].mean(axis=0)
        return means


def fixed(effects: np.ndarray) -> np.ndarray:
    """Effects as whole numbers of UNIT, int64; raises HRVError for what is not finite or too large to be one."""
    if not (np.abs(effects) <= MOST_EFFECT).all():
        raise HRVError(
            "An effect is not finite, or larger than any can be: the model runs at a precision too low for its"
            " gradient. Load it in bfloat16 or float32, or use another checkpoint."
        )
    return np.rint(effects / UNIT).astype(np.int64)


def word_effect(with_word: Tensor, without: Tensor, precision: torch.dtype) -> Tensor:
    """d = with - without, float32 [images ...]; raises HRVError with the number of an image whose d is nothing.

    precision: the type that the model computes in, whose rounding is no effect.
    """
    difference = with_word.float() - without.float()
    rounding = MOST_ROUNDING * torch.finfo(precision).eps
    sizes = difference.flatten(1).norm(dim=1), with_word.float().flatten(1).norm(dim=1)
    if not all(bool(size.isfinite().all()) for size in sizes):
        raise NoEffect(0, "is not finite: the model runs at a precision too low for it")
    for image, (effect, whole) in enumerate(zip(*(size.tolist() for size in sizes), strict=True)):
        if effect <= rounding * whole:
            raise NoEffect(image, "does not change with the word")
    return difference


class NoEffect(ArithmeticError):
    """d of an image is nothing, so nothing can be measured along it."""

    def __init__(self, image: int, what: str) -> None:
        super().__init__(what)
        self.image, self.what = image, what


def share(prediction: Tensor, difference: Tensor) -> Tensor:
    """f = <prediction, d> / <d, d> of every image, float32 [images]."""
    d = difference.flatten(1)
    return (prediction.float().flatten(1) * d).sum(dim=1) / (d * d).sum(dim=1)


def integration_points(points: int) -> list[float]:
    """Factors s of r = s 1 at which the gradient is taken: 1 alone, or the midpoints of so many parts of 0 to 1."""
    return [1.0] if points <= 1 else [(number + 0.5) / points for number in range(points)]
