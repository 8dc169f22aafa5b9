"""t-SNE of concept x timestep vectors (figure 10), through scikit-learn (the `figures` extra)."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from .errors import HRVError
from .plots import PALETTE, library, new_plot, pixels
from .relevance import HeadRelevance
from .similarity import step_votes


@dataclass(frozen=True)
class Embedding:
    """Points float64 [n 2] with the concept name and the sampling step of each; steps: how many there are."""

    points: np.ndarray
    concepts: tuple[str, ...]
    timesteps: tuple[int, ...]
    steps: int

    def table(self) -> list[dict[str, Any]]:
        """One row a point: concept, step, x, y."""
        rows = zip(self.concepts, self.timesteps, self.points, strict=True)
        return [{"concept": name, "step": step, "x": float(x), "y": float(y)} for name, step, (x, y) in rows]


def embedding(relevance: HeadRelevance, names: list[str], perplexity: float, seed: int) -> Embedding:
    """Embed every (concept, timestep) vector of L1 = H, rows without a vote left out, in two dimensions.

    Raises HRVError for a file without votes per timestep and for a perplexity that the number of points does not allow.
    """
    per_step = step_votes(relevance)  # [steps concepts heads]
    rows = [relevance.concepts.index(name) for name in names]
    vectors, concepts, timesteps = [], [], []
    for row in rows:
        for step, votes in enumerate(per_step[:, row]):
            if votes.sum() > 0:
                vectors.append(votes * (len(votes) / votes.sum()))
                concepts.append(relevance.concepts.names[row])
                timesteps.append(step)
    if not 1 <= perplexity < len(vectors):
        raise HRVError(
            f"perplexity = {perplexity:g} does not fit {len(vectors)} points (concepts x timesteps with votes). Use at"
            f" least 1 and less than {len(vectors)}; 5 to 50 is usual."
        )
    manifold = library("sklearn.manifold", "scikit-learn", "figures", "t-SNE")
    tsne = manifold.TSNE(2, perplexity=perplexity, random_state=seed, init="pca", learning_rate="auto")
    points = tsne.fit_transform(np.asarray(vectors, np.float32))
    return Embedding(points.astype(np.float64), tuple(concepts), tuple(timesteps), len(per_step))


def embedding_figure(found: Embedding) -> np.ndarray:
    """A point a vector, light for the first step and dark for the last, each concept named above its points; [H W 3]."""
    figure, axis = new_plot(width=9.0, height=7.0)
    names = list(dict.fromkeys(found.concepts))
    shapes = "osD^vP"
    concepts, steps = np.array(found.concepts), np.array(found.timesteps)
    labels = []
    for number, name in enumerate(names):
        mine = concepts == name
        colour = PALETTE[number % len(PALETTE)]
        marker = shapes[(number // len(PALETTE)) % len(shapes)]
        strength = 0.25 + 0.75 * steps[mine] / max(found.steps - 1, 1)
        axis.scatter(*found.points[mine].T, s=34, c=colour, alpha=strength, marker=marker, linewidths=0)
        x, y = found.points[mine].T
        labels.append((name, float(np.median(x)), float(y.max())))
    for name, x, y in labels:
        axis.annotate(name, (x, y), (0, 5), textcoords="offset points", fontsize=11, ha="center", va="bottom")
    axis.set(xticks=[], yticks=[])
    axis.margins(0.08)
    axis.set_title("t-SNE of concept x timestep vectors; darker: later steps", fontsize=13, loc="left")
    return pixels(figure)
