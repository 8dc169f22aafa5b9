"""t-SNE of the vectors of every concept at every timestep: do concepts stay apart while time goes by (figure 10)?"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import HRVError
from ..optional import library
from ..relevance.relevance import HeadRelevance
from .similarity import step_votes

PURPOSE = "The t-SNE plot"


@dataclass(frozen=True)
class Embedding:
    """Points in the plane: concepts (names) and steps (from 0), one a point; places: float64 [points 2]."""

    concepts: tuple[str, ...]
    steps: tuple[int, ...]
    places: np.ndarray

    def table(self) -> list[dict[str, Any]]:
        """One row per point: concept, step, x, y."""
        return [
            {"concept": concept, "step": step, "x": float(x), "y": float(y)}
            for concept, step, (x, y) in zip(self.concepts, self.steps, self.places, strict=True)
        ]


def embed(relevance: HeadRelevance, names: list[str], perplexity: float = 30.0, seed: int = 0) -> Embedding:
    """t-SNE of the named concepts' vectors at each step, rows normalised to L1 = 1 and rows without votes left out.

    Raises HRVError for a file without votes per timestep, or a perplexity that is not below the number of points.
    """
    concepts, steps, rows = _points(relevance, names)
    if len(rows) < 3:
        raise HRVError(
            f"Only {len(rows)} of the vectors of {', '.join(names)} have votes at a timestep; a plot needs three or"
            " more. Choose more concepts, or build with more prompts."
        )
    if not 1 <= perplexity < len(rows):
        raise HRVError(
            f"A perplexity of {perplexity:g} does not fit {len(rows)} points ({len(names)} concepts at the timesteps at"
            f" which they won votes). Legal: 1 up to, but not including, {len(rows)}; it says about how many neighbours"
            " a point has. Take a smaller one, or more concepts."
        )
    manifold = library("sklearn.manifold", "scikit-learn", "figures", PURPOSE)
    places = manifold.TSNE(perplexity=perplexity, random_state=seed, init="pca").fit_transform(rows)
    return Embedding(tuple(concepts), tuple(steps), np.asarray(places, np.float64))


def _points(relevance: HeadRelevance, names: list[str]) -> tuple[list[str], list[int], np.ndarray]:
    per_step = step_votes(relevance)
    concepts, steps, rows = [], [], []
    for name in names:
        concept = relevance.concepts.index(name)
        for step, votes in enumerate(per_step[:, concept]):
            if votes.any():
                concepts.append(relevance.concepts.names[concept])
                steps.append(step)
                rows.append(votes / votes.sum())
    return concepts, steps, np.array(rows, np.float32)
