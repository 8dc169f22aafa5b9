"""The t-SNE plot of the vectors of every concept at every timestep (figure 10)."""

from typing import Any

import numpy as np

from ..inspection.embedding import PURPOSE, Embedding
from ..optional import library
from .plots import PALETTE, new_plot, pixels


def embedding_figure(embedding: Embedding) -> np.ndarray:
    """The points, a colour and a name per cluster, dark for late steps; uint8 [height width 3]."""
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


def _hues(clusters: dict[str, np.ndarray]) -> dict[str, str]:
    """A colour of the palette for each cluster, each time the one whose last use is farthest away."""
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
