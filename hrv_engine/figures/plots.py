"""Plots through matplotlib (the `figures` extra), in one style: white ground, colours that colour-blind eyes tell."""

from typing import Any

import numpy as np

from ..optional import library

# Okabe and Ito's palette without its black and yellow, in an order that keeps neighbours far apart.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
QUIET = "#8a8a90"  # controls and baselines
DPI = 100


def new_plot(columns: int = 1, rows: int = 1, width: float = 8.0, height: float = 5.0) -> tuple[Any, Any]:
    """A matplotlib Figure (no global state) and its Axes, an array of them when there are several."""
    figure = library("matplotlib.figure", "matplotlib", "figures", "This plot").Figure(
        figsize=(width, height), dpi=DPI, layout="constrained", facecolor="white"
    )
    axes = figure.subplots(rows, columns)
    for axis in np.atleast_1d(axes).flat:
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=11)
    return figure, axes


def pixels(figure: Any) -> np.ndarray:
    """The drawn figure, uint8 [height width 3]."""
    agg = library("matplotlib.backends.backend_agg", "matplotlib", "figures", "This plot")
    canvas = agg.FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
