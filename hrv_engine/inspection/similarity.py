"""How alike Head Relevance Vectors are: cosines of concepts and of timesteps (figure 47), and a concept's top heads."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import HRVError
from ..relevance.relevance import HeadRelevance

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
            "This HRV has no votes per timestep, so nothing can be said over time. Build it with per_timestep switched"
            " on."
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


def top_heads(relevance: HeadRelevance, concept: str, count: int = 10) -> list[tuple[int, str, float]]:
    """The most relevant heads of a concept: (HRV index, label, element), most relevant first."""
    row = relevance.row(concept)
    order = relevance.order(concept)[:count]
    return [(int(head), relevance.layout.label(int(head)), float(row[head])) for head in order]


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
    found = summary(matrix, names)
    word = of.removesuffix("s")
    return (
        f"{len(names)} {of}, {len(names) * (len(names) - 1) // 2} pairs: mean cosine {found.mean:.4f}, median"
        f" {found.median:.4f}\nclosest: {word} {' and '.join(found.closest)}, {found.most:.4f}; farthest: {word}"
        f" {' and '.join(found.farthest)}, {found.least:.4f}"
    )


def top_heads_table(relevance: HeadRelevance, concepts: list[str], count: int) -> list[dict[str, Any]]:
    """The top heads of several concepts: concept, rank (from 1), head (HRV index), label, relevance."""
    return [
        {"concept": concept, "rank": rank, "head": head, "label": label, "relevance": element}
        for concept in concepts
        for rank, (head, label, element) in enumerate(top_heads(relevance, concept, count), start=1)
    ]


def top_heads_text(rows: list[dict[str, Any]]) -> str:
    """The rows of `top_heads_table` as one paragraph a concept, one line a head."""
    lines: list[str] = []
    for row in rows:
        if row["rank"] == 1:
            lines += [""] * bool(lines) + [row["concept"]]
        lines.append(f"{row['rank']:>3}. head {row['head']} = {row['label']}: {row['relevance']:.2f}")
    return "\n".join(lines)
