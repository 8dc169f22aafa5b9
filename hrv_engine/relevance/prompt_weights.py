"""Weights of a prompt's words -> one HeadScale each: word and weight, or word, weight and the heads of a concept."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import HRVError
from ..text.alignment import TokenTable
from ..text.weighted import Stretch, WeightedText
from .relevance import HeadRelevance
from .rescale import HeadScale, concept_share


@dataclass(frozen=True)
class WeightSettings:
    """How the weights of a prompt are meant.

    strength: 1 as written, 0 not at all; limit: how far a factor may be from 1, None for no limit; start, end: the part
    of the sampling (0 to 1) in which words without one of their own are weighted.
    """

    strength: float = 1.0
    limit: float | None = None
    start: float = 0.0
    end: float = 1.0

    def acting(self, weight: float) -> float:
        """The weight that is used for a written one.

        An output is a mean of value rows by attention, so that what a factor r adds to it is at most |r - 1| times the
        mean size of the values of weighted words: a limit of r limits it, whatever attention does.
        """
        change = self.strength * (weight - 1.0)
        return 1.0 + (change if self.limit is None else min(max(change, -self.limit), self.limit))


@dataclass(frozen=True)
class WeightedWords:
    """A stretch of a prompt, the weight that is used, and what it does to which columns."""

    stretch: Stretch
    weight: float
    scale: HeadScale

    @property
    def text(self) -> str:
        """One line of the report: the words, the weight, how many tokens and heads, and when."""
        total, touched = self.scale.factors.size, int((self.scale.factors != 1).sum())
        heads = f"all {total} heads" if touched == total else f"{touched} of {total} heads"
        written = self.stretch.weight
        weight = f"{self.weight:.4g}" if self.weight == written else f"{self.weight:.4g} (written: {written:.4g})"
        concept = f" of {self.stretch.concept}" if self.stretch.concept else ""
        whole = (self.scale.start, self.scale.end) == (0, 1)
        when = "" if whole else f", from {self.scale.start:.0%} to {self.scale.end:.0%} of the sampling"
        if self.scale.neutral:
            return f'"{_short(self.stretch.text)}": {weight}, nothing to do{when}'
        tokens = f"{len(self.scale.columns)} token{'s' if len(self.scale.columns) > 1 else ''}"
        return f'"{_short(self.stretch.text)}": {weight} on {tokens} in {heads}{concept}{when}'


def weighted_words(
    prompt: WeightedText, table: TokenTable, heads: int, relevance: HeadRelevance | None, settings: WeightSettings
) -> list[WeightedWords]:
    """What each weight of a prompt does to the columns of its words, in the table of the text without weights.

    Heads get a weight in full; those of a concept in proportion of their relevance, of which 1, the mean, is all.
    Raises HRVError that quotes a bracket whose concept has no heads, or whose words the text encoder does not read.
    """
    found = []
    for stretch, columns in zip(prompt.stretches, prompt.columns(table), strict=True):
        share = _share(stretch, heads, relevance)
        if stretch.weight == 1 or not stretch.text.strip():
            continue
        if not columns:
            raise HRVError(
                f'"{stretch.typed}" weights nothing: the text encoder reads no token there (an embedding that does not'
                " exist, or a character it does not know). Take the weight off, or write it otherwise."
            )
        weight = settings.acting(stretch.weight)
        factors = (1.0 + (weight - 1.0) * share).astype(np.float32)
        start, end = stretch.window or (settings.start, settings.end)
        found.append(WeightedWords(stretch, weight, HeadScale(columns, factors, start, end)))
    return found


def weights_text(words: Sequence[WeightedWords]) -> str:
    """Which words got which weight in how many heads, a line each."""
    return "\n".join(one.text for one in words) or "No weights in this prompt: it acts as it would without them."


def _share(stretch: Stretch, heads: int, relevance: HeadRelevance | None) -> np.ndarray:
    """How much of a stretch's weight each head gets, float32 [heads]."""
    if not stretch.concept:
        return np.ones(heads, np.float32)
    as_text = f'If "{stretch.concept}" is text, give the bracket a weight of its own: (... {stretch.concept}:1.1).'
    if relevance is None:
        raise HRVError(
            f'"{stretch.typed}" is to act through the heads of "{stretch.concept}" alone, but no HRV is connected that'
            f" knows them. Connect one, or leave the concept out. {as_text}"
        )
    try:
        return concept_share(relevance, stretch.concept)
    except HRVError as error:
        raise HRVError(f'"{stretch.typed}": {error} {as_text}') from error


def _short(text: str) -> str:
    text = text.strip()
    return text if len(text) <= 40 else f"{text[:39]}..."
