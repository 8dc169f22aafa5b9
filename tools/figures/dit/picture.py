"""What is left of each concept while heads are weakened in order, one panel a concept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from hrv_engine.figures.plots import PALETTE, QUIET, new_plot, pixels

LINES = {"votes": (PALETTE[1], "-"), "effect": (PALETTE[0], "-"), "votes least": (PALETTE[1], ":")}
LINES |= {"effect least": (PALETTE[0], ":"), "attention on the word": (PALETTE[2], "-")}


def save_curves(table: dict[str, dict[str, Any]], path: Path) -> None:
    """Scores against the number of weakened heads; random orders as the band between their least and largest."""
    figure, axes = new_plot(len(table), width=3.4 * len(table), height=3.4)
    for axis, (concept, figures) in zip(np.atleast_1d(axes), table.items(), strict=True):
        curves = {order: {int(k): score for k, score in curve.items()} for order, curve in figures["curve"].items()}
        counts = sorted(curves["votes"])
        random = [[curve[k] for k in counts] for order, curve in curves.items() if order.startswith("random")]
        place = np.log1p(counts)
        axis.fill_between(place, np.min(random, 0), np.max(random, 0), color=QUIET, alpha=0.3, label="random orders")
        for order, (colour, style) in LINES.items():
            axis.plot(place, [curves[order][k] for k in counts], style, color=colour, label=order)
        axis.set_title(concept, fontsize=12, loc="left")
        axis.set_xticks(place, [str(k) for k in counts])
        axis.set_ylim(0, 1)
    figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=6, fontsize=10, frameon=False)
    Image.fromarray(pixels(figure)).save(path)
