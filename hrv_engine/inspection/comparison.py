"""Two HRV files side by side: how far each shared concept's vector moved, say by an added concept (appendix J)."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import HRVError
from ..relevance.relevance import HeadRelevance

TOP = 10  # most relevant heads whose overlap is counted


@dataclass(frozen=True)
class ConceptChange:
    """One concept in both files: cosine of its rows, largest absolute change of an element, top heads in common."""

    concept: str
    cosine: float
    change: float
    top_shared: int


@dataclass(frozen=True)
class Comparison:
    """Shared concepts in row order of the new file, and what is in one file only.

    only_new, only_old: concept -> its share of all votes of its file, None for vectors without votes; silent: shared
    concepts that won no vote in one of the files; reworded: shared concepts whose words differ; top: heads compared.
    """

    changes: tuple[ConceptChange, ...]
    only_new: dict[str, float | None]
    only_old: dict[str, float | None]
    silent: tuple[str, ...]
    reworded: tuple[str, ...]
    top: int

    def table(self) -> list[dict[str, Any]]:
        """One row per shared concept: concept, cosine, largest_change, top_heads_shared."""
        return [
            {
                "concept": change.concept,
                "cosine": change.cosine,
                "largest_change": change.change,
                "top_heads_shared": change.top_shared,
            }
            for change in self.changes
        ]

    def text(self) -> str:
        """The comparison in a few lines."""
        cosines = np.array([change.cosine for change in self.changes])
        moved = min(self.changes, key=lambda change: change.cosine)
        overlap = np.mean([change.top_shared for change in self.changes])
        lines = [
            f"{len(self.changes)} shared concepts: mean cosine {cosines.mean():.4f}, lowest {cosines.min():.4f}",
            (
                f"moved most: {moved.concept} (cosine {moved.cosine:.4f}, an element by {moved.change:.2f},"
                f" {moved.top_shared} of its top {self.top} heads kept)"
            ),
            f"top {self.top} heads in common, mean over concepts: {overlap:.1f}",
        ]
        for where, only in (("new", self.only_new), ("old", self.only_old)):
            if only:
                lines.append(f"only in the {where} file: {', '.join(_with_share(*item) for item in only.items())}")
        if self.silent:
            lines.append(f"left out, without votes in one of the files: {', '.join(self.silent)}")
        if self.reworded:
            lines.append(f"other concept words: {', '.join(self.reworded)}")
        return "\n".join(lines)


def compare(new: HeadRelevance, old: HeadRelevance) -> Comparison:
    """Compare the rows of concepts of the same name (capitals do not count).

    Raises HRVError when the heads differ, when no name is shared, or when no shared concept won votes in both.
    """
    if not new.layout.same_heads(old.layout):
        raise HRVError(
            f"The head layouts differ: hrv has {new.layout.summary}, other has {old.layout.summary} or another order of"
            " them. Compare files of one model architecture."
        )
    olds = {name.strip().casefold(): name for name in old.concepts.names}
    shared = {name: olds[name.strip().casefold()] for name in new.concepts.names if name.strip().casefold() in olds}
    if not shared:
        raise HRVError(
            f"No concept is in both files. hrv has {', '.join(new.concepts.names)}; other has"
            f" {', '.join(old.concepts.names)}. Compare files whose concept sets overlap."
        )
    voted = {name: match for name, match in shared.items() if name in new.voted and match in old.voted}
    if not voted:
        raise HRVError(
            f"None of the shared concepts ({', '.join(shared)}) won votes in both files, so there is nothing to"
            " compare. Build on more prompts."
        )
    return Comparison(
        tuple(_change(new, old, name, match) for name, match in voted.items()),
        _shares(new, [name for name in new.concepts.names if name not in shared]),
        _shares(old, [name for name in old.concepts.names if name not in shared.values()]),
        tuple(name for name in shared if name not in voted),
        tuple(name for name, match in shared.items() if _words(new, name) != _words(old, match)),
        min(TOP, new.layout.total),
    )


def _change(new: HeadRelevance, old: HeadRelevance, name: str, match: str) -> ConceptChange:
    new_row, old_row = _vector(new, name), _vector(old, match)
    cosine = min(1.0, float(new_row @ old_row / (np.linalg.norm(new_row) * np.linalg.norm(old_row))))
    top = set(new.order(name)[:TOP].tolist()) & set(old.order(match)[:TOP].tolist())
    return ConceptChange(name, cosine, float(np.abs(new_row - old_row).max()), len(top))


def _vector(relevance: HeadRelevance, name: str) -> np.ndarray:
    """A concept's row, with the heads that work against it where they are known."""
    row = relevance.row(name) if relevance.signed is None else relevance.signed[relevance.concepts.index(name)]
    return row.astype(np.float64)


def _shares(relevance: HeadRelevance, names: list[str]) -> dict[str, float | None]:
    if relevance.votes is None:
        return dict.fromkeys(names)
    totals = relevance.votes.counts.sum(axis=1)
    return {name: float(totals[relevance.concepts.index(name)] / max(totals.sum(), 1)) for name in names}


def _with_share(name: str, share: float | None) -> str:
    return f"{name} (votes unknown)" if share is None else f"{name} ({share:.1%} of its votes)"


def _words(relevance: HeadRelevance, name: str) -> set[str]:
    return {word.casefold() for word in relevance.concepts.concepts[relevance.concepts.index(name)].words}
