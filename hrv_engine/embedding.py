"""t-SNE of the vectors of every concept at every timestep: do concepts stay apart while time goes by (figure 10)?"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from .errors import HRVError
from .plots import PALETTE, library, new_plot, pixels
from .relevance import HeadRelevance

PURPOSE = "The t-SNE plot"


@dataclass(frozen=True)
class Embedding:
    """Points in the plane: concepts (names) and steps (from 0), one a point; places: float64 [points 2]."""

    concepts: tuple[str, ...]
    steps: tuple[int, ...]
    places: np.ndarray

    def table(self) -> list[dict[str, Any]]:
        """One row a point: concept, step, x, y."""
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


def embedding_figure(embedding: Embedding) -> np.ndarray:
    """The points, a colour and a name a cluster, dark for late steps; uint8 [height width 3]."""
    figure, axes = new_plot(width=10.0, height=9.0)
    names = list(dict.fromkeys(embedding.concepts))
    clusters = {name: embedding.places[np.array(embedding.concepts) == name] for name in names}
    last, hues = max(embedding.steps) or 1, _hues(clusters)
    shades = 0.35 + 0.65 * np.array(embedding.steps) / last
    colours = [_blend(hues[concept], shade) for concept, shade in zip(embedding.concepts, shades, strict=True)]
    size = float(np.clip(8000 / len(colours), 16, 40))
    axes.scatter(*embedding.places.T, c=colours, s=size, linewidths=0)
    axes.set(xticks=[], yticks=[])
    axes.set_title(
        f"t-SNE of {len(embedding.steps)} vectors: {len(names)} concepts at {last + 1} timesteps", loc="left"
    )
    axes.margins(0.1)
    axes.spines[:].set_visible(False)
    _add_time_bar(figure, axes, last)
    _write_names(figure, axes, clusters)
    return pixels(figure)


def _points(relevance: HeadRelevance, names: list[str]) -> tuple[list[str], list[int], np.ndarray]:
    per_step = None if relevance.votes is None else relevance.votes.per_step
    if per_step is None:
        raise HRVError(
            "This HRV has no votes per timestep, so there is nothing to place over time. Build it with per_timestep"
            " switched on in HRV Build."
        )
    concepts, steps, rows = [], [], []
    for name in names:
        for step, votes in enumerate(per_step[:, relevance.concepts.index(name)]):
            if votes.any():
                concepts.append(relevance.concepts.names[relevance.concepts.index(name)])
                steps.append(step)
                rows.append(votes / votes.sum())
    return concepts, steps, np.array(rows, np.float32)


def _hues(clusters: dict[str, np.ndarray]) -> dict[str, str]:
    """A colour of the palette for each cluster, each time the one whose last use lies farthest away."""
    hues: dict[str, str] = {}
    middles = {name: np.median(points, axis=0) for name, points in clusters.items()}
    for name, middle in middles.items():
        distance = {
            hue: min(
                (float(np.linalg.norm(middle - middles[other])) for other in hues if hues[other] == hue), default=np.inf
            )
            for hue in PALETTE
        }
        hues[name] = max(PALETTE, key=lambda hue: distance[hue])
    return hues


def _blend(hue: str, shade: float) -> tuple[float, ...]:
    """A hue on white: 0 is white, 1 the hue."""
    return tuple(1 - shade * (1 - int(hue[place : place + 2], 16) / 255) for place in (1, 3, 5))


def _write_names(figure: Any, axes: Any, clusters: dict[str, np.ndarray]) -> None:
    """A name over each cluster, at its median; moved up where it would cover another name."""
    effects = library("matplotlib.patheffects", "matplotlib", "figures", PURPOSE)
    outline = [effects.withStroke(linewidth=3, foreground="white")]
    figure.draw_without_rendering()  # settles the layout, so that boxes are where they will be
    placed: list[Any] = []
    for name, points in sorted(clusters.items(), key=lambda item: float(item[1][:, 1].max())):
        x, y = axes.transData.transform((np.median(points[:, 0]), points[:, 1].max()))
        text = figure.text(0, 0, name, fontsize=11, ha="center", va="bottom", path_effects=outline)
        text.set_in_layout(False)
        text.set_position(figure.transFigure.inverted().transform((x, y + 3)))
        box = text.get_window_extent()
        for other in sorted(placed, key=lambda other: float(other.y0)):
            if box.overlaps(other):
                box = box.translated(0, other.y1 - box.y0 + 1)
        text.set_position(figure.transFigure.inverted().transform(((box.x0 + box.x1) / 2, box.y0)))
        placed.append(box)


def _add_time_bar(figure: Any, axes: Any, last: int) -> None:
    colors = library("matplotlib.colors", "matplotlib", "figures", PURPOSE)
    cm = library("matplotlib.cm", "matplotlib", "figures", PURPOSE)
    greys = colors.LinearSegmentedColormap.from_list("time", [_blend("#404045", 0.35), _blend("#404045", 1.0)])
    bar = figure.colorbar(
        cm.ScalarMappable(colors.Normalize(0, last), greys), ax=axes, shrink=0.3, aspect=14, pad=0.02, label="timestep"
    )
    bar.outline.set_visible(False)
    bar.locator = library("matplotlib.ticker", "matplotlib", "figures", PURPOSE).MaxNLocator(4, integer=True)
