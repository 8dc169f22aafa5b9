"""Which concepts a word is near to in a text encoder, and how often that names a known word's concept."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..errors import HRVError
from ..inspection.similarity import cosines
from ..relevance.relevance import HeadRelevance

FIRST = 3  # among this many first concepts


@dataclass(frozen=True)
class Sense:
    """A concept that a word may stand for: its similarity (-1 to 1) is that of its nearest concept word, `like`."""

    concept: str
    similarity: float
    like: str


@dataclass(frozen=True)
class Pair:
    """Two concepts to turn a word between; gap: how much nearer the undesired one is; cosine: of their vectors."""

    desired: str
    undesired: str
    gap: float
    cosine: float

    def role(self, concept: str) -> str:
        """desired or undesired, empty for a concept that is not of the pair."""
        return {self.desired: "desired", self.undesired: "undesired"}.get(concept, "")


@dataclass(frozen=True)
class Check:
    """Every concept word left out in turn and ranked by the others.

    words: how many could be (their concept has another word); first, among: how many were named rightly, by the first
    concept or by one of the first three; gaps float64 [words]: of their pairs, right bool [words].
    """

    first: int
    among: int
    gaps: np.ndarray
    right: np.ndarray

    @property
    def words(self) -> int:
        """How many words were left out in turn."""
        return len(self.gaps)

    def as_open(self, gap: float) -> float:
        """The share of these words, most of which have one meaning, whose two senses are as near or nearer."""
        return float((np.abs(self.gaps) <= abs(gap)).mean()) if self.words else 0.0

    def alike(self, gap: float) -> tuple[int, int]:
        """(named rightly, of how many): the third of these words whose gaps are nearest to this one."""
        near = np.argsort(np.abs(self.gaps - gap), kind="stable")[: -(-self.words // 3)]
        return int(self.right[near].sum()), len(near)


@dataclass(frozen=True)
class Lexicon:
    """The words of all concepts that won a vote, as directions from their common mean.

    entries: (concept, word); directions: float32 [entries channels], unit length; middle: float32 [channels].
    """

    relevance: HeadRelevance
    entries: tuple[tuple[str, str], ...]
    directions: np.ndarray
    middle: np.ndarray

    @classmethod
    def of(cls, relevance: HeadRelevance, vectors: Mapping[str, np.ndarray]) -> "Lexicon":
        """From every concept word's embedding [channels]; raises HRVError unless two concepts won votes."""
        voted = relevance.voted
        if len(voted) < 2:
            raise HRVError(
                f"Of the concepts {', '.join(relevance.concepts.names)} only {', '.join(voted) or 'none'} won a vote,"
                " but a word is turned from one concept to another. Connect vectors of two or more concepts."
            )
        entries = tuple(
            (concept.name, word)
            for concept in relevance.concepts.concepts
            for word in concept.words
            if concept.name in voted
        )
        rows = np.stack([vectors[word] for _, word in entries]).astype(np.float32)
        middle = rows.mean(axis=0)
        return cls(relevance, entries, _unit(rows - middle), middle)

    @property
    def concepts(self) -> list[str]:
        """The concepts that won a vote, in row order."""
        return self.relevance.voted

    def senses(self, vector: np.ndarray) -> list[Sense]:
        """All concepts for a word's embedding [channels], nearest first."""
        return self._senses(self.directions @ _unit(vector - self.middle), np.ones(len(self.entries), bool))

    def listed(self, word: str) -> list[str]:
        """The concepts that name this very word, ignoring case."""
        return [concept for concept, known in self.entries if known.casefold() == word.casefold()]

    def pair(self, senses: list[Sense], desired: str = "") -> Pair:
        """The nearest sense as undesired and, as desired, the one that is near and has other heads (or the reverse).

        Each other concept counts by its similarity times 1 - cosine of the two vectors: turning a word between
        concepts that share their heads does nothing. desired: settles that one; raises HRVError if it is unknown.
        """
        known = self._named(desired) if desired.strip() else senses[0].concept
        similarity = {sense.concept: sense.similarity for sense in senses}
        row = self._alike[self.concepts.index(known)]
        alike = dict(zip(self.concepts, map(float, row), strict=True))
        other = max(
            (name for name in similarity if name != known),
            key=lambda name: max(similarity[name], 0) * (1 - alike[name]),
        )
        wanted, unwanted = (known, other) if desired.strip() else (other, known)
        return Pair(wanted, unwanted, similarity[unwanted] - similarity[wanted], alike[other])

    @cached_property
    def check(self) -> Check:
        """Leave one word out, with every entry of the same spelling; rank the concepts by the rest."""
        folded = np.array([word.casefold() for _, word in self.entries])
        owners = np.array([concept for concept, _ in self.entries])
        every = self.directions @ self.directions.T
        first, among, gaps = list[bool](), list[bool](), list[float]()
        for row, word in enumerate(folded):
            rest = folded != word
            mine = {str(owner) for owner in owners[~rest]}
            if not mine <= set(owners[rest]):
                continue  # nothing is left that could name it
            senses = self._senses(every[row], rest)
            first.append(senses[0].concept in mine)
            among.append(bool(mine & {sense.concept for sense in senses[:FIRST]}))
            gaps.append(self.pair(senses).gap)
        return Check(sum(first), sum(among), np.array(gaps), np.array(first, bool))

    def _senses(self, similarity: np.ndarray, used: np.ndarray) -> list[Sense]:
        best: dict[str, Sense] = {}
        for row in np.argsort(-similarity, kind="stable"):
            concept, word = self.entries[row]
            if used[row] and concept not in best:
                best[concept] = Sense(concept, float(similarity[row]), word)
        return list(best.values())

    def _named(self, concept: str) -> str:
        name = self.relevance.concepts.names[self.relevance.concepts.index(concept)]
        self.relevance.row(name)
        return name

    @cached_property
    def _alike(self) -> np.ndarray:
        rows = [self.relevance.concepts.index(name) for name in self.concepts]
        return cosines(self.relevance.values[rows])


def _unit(rows: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(rows, axis=-1, keepdims=True)
    return (rows / np.where(length == 0, 1, length)).astype(np.float32)
