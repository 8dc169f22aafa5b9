"""How alike Head Relevance Vectors are: cosines of concepts and of timesteps (figure 47), and a concept's top heads."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import HRVError
from ..relevance.relevance import EFFECT, HeadRelevance

KINDS = ("concepts", "timesteps")


@dataclass(frozen=True)
class CosineSummary:
    """Off-diagonal cosines of a set of vectors; `closest` and `farthest` are the pairs of the largest and smallest."""

    least: float
    mean: float
    median: float
    most: float
    farthest: tuple[str, str]
    closest: tuple[str, str]


def cosines(vectors: np.ndarray) -> np.ndarray:
    """Cosine similarity [n n] of vectors [n heads]; a vector of zeros has cosine 0 with all."""
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    unit = vectors / np.where(lengths == 0, 1, lengths)
    return unit @ unit.T


def concept_cosines(relevance: HeadRelevance) -> np.ndarray:
    """Cosines of the concepts' vectors [concepts concepts], in row order."""
    return cosines(relevance.values)


def timestep_vectors(per_step: np.ndarray) -> np.ndarray:
    """Mean over concepts of the per-step vectors, each row normalised to L1 = H first (appendix I).

    per_step: votes or vectors [steps concepts heads]; returns float64 [steps heads].
    """
    totals = per_step.sum(axis=-1, keepdims=True)
    rows = per_step * per_step.shape[-1] / np.where(totals == 0, 1, totals)
    return rows.mean(axis=1)


def step_votes(relevance: HeadRelevance) -> np.ndarray:
    """Votes per timestep, integers [steps concepts heads]; raises HRVError for a file without them."""
    per_step = None if relevance.votes is None else relevance.votes.per_step
    if per_step is None:
        raise HRVError(
            "This HRV has no votes per timestep, so nothing can be said over time"
            f"{' (vectors by effect never have)' if relevance.method == EFFECT else ''}. Build it by votes, with"
            " per_timestep switched on."
        )
    return per_step


def timestep_cosines(relevance: HeadRelevance) -> np.ndarray:
    """Cosines of the timesteps' vectors [steps steps]; raises HRVError for a file without votes per timestep."""
    return cosines(timestep_vectors(step_votes(relevance)))


def summary(matrix: np.ndarray, names: list[str]) -> CosineSummary:
    """The off-diagonal entries of a cosine matrix [n n] in five figures; raises HRVError for fewer than two vectors."""
    if len(matrix) < 2:
        raise HRVError(f"Similarity needs at least two vectors to compare, not {len(matrix)}.")
    rows, columns = np.triu_indices(len(matrix), 1)
    pairs = matrix[rows, columns]
    low, high = int(pairs.argmin()), int(pairs.argmax())
    return CosineSummary(
        float(pairs.min()),
        float(pairs.mean()),
        float(np.median(pairs)),
        float(pairs.max()),
        (names[rows[low]], names[columns[low]]),
        (names[rows[high]], names[columns[high]]),
    )


@dataclass(frozen=True)
class TopHead:
    """A head by its rank (from 1) in a concept's order; head: HRV index; relevance: the vector's element."""

    concept: str
    rank: int
    head: int
    label: str
    relevance: float


def top_heads(relevance: HeadRelevance, concepts: Sequence[str], count: int = 10) -> list[TopHead]:
    """The most relevant heads of each concept, most relevant first."""
    return [
        TopHead(concept, rank, int(head), relevance.layout.label(int(head)), float(relevance.row(concept)[head]))
        for concept in concepts
        for rank, head in enumerate(relevance.order(concept)[:count], start=1)
    ]


def top_heads_text(heads: Sequence[TopHead]) -> str:
    """The top heads as one paragraph per concept, one line per head."""
    lines: list[str] = []
    for head in heads:
        if head.rank == 1:
            lines += [""] * bool(lines) + [head.concept]
        lines.append(f"{head.rank:>3}. head {head.head} = {head.label}: {head.relevance:.2f}")
    return "\n".join(lines)


def named_cosines(relevance: HeadRelevance, of: str) -> tuple[list[str], np.ndarray]:
    """Row names and cosines [n n] of the "concepts" that won a vote, or of the "timesteps", numbered from 0.

    Raises HRVError for any other word, and for timesteps of a file without votes per timestep.
    """
    if of not in KINDS:
        raise HRVError(f'"{of}" cannot be compared. Legal: {", ".join(KINDS)}.')
    if of == "timesteps":
        matrix = timestep_cosines(relevance)
        return [str(step) for step in range(len(matrix))], matrix
    names = relevance.voted
    rows = [relevance.concepts.index(name) for name in names]
    return names, concept_cosines(relevance)[np.ix_(rows, rows)]


def summary_text(matrix: np.ndarray, names: list[str], of: str) -> str:
    """The summary of a cosine matrix as two lines, with the pairs that are closest and farthest."""
    cosine, kind = summary(matrix, names), of.removesuffix("s")
    return (
        f"{len(names)} {of}, {len(names) * (len(names) - 1) // 2} pairs: mean cosine {cosine.mean:.4f}, median"
        f" {cosine.median:.4f}\nclosest: {kind} {' and '.join(cosine.closest)}, {cosine.most:.4f}; farthest: {kind}"
        f" {' and '.join(cosine.farthest)}, {cosine.least:.4f}"
    )
