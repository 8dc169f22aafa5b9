"""How fast an HRV settles, as curves over images, timesteps and draws."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .plots import PALETTE, QUIET, new_plot, pixels


def convergence_figure(rows: Sequence[dict[str, Any]], wanted: float = 0.99) -> np.ndarray:
    """Three panels, cosine against images, timesteps kept and draws, with the wanted agreement; uint8 [H W 3]."""
    figure, axes = new_plot(3, width=12.0, height=4.2)
    many = {row["vary"]: row["images"] for row in rows}
    panels = [("images", "images")]
    panels += [(vary, f"{vary}, {many[vary]} images") for vary in ("timesteps", "draws")]
    least = min(row["cosine"] for row in rows)
    for axis, (vary, label) in zip(axes, panels, strict=True):
        lines = [(vary, PALETTE[0], "all draws"), ("images, one draw", PALETTE[1], "one draw")]
        for name, colour, title in lines if vary == "images" else lines[:1]:
            points = [(row["value"], row["cosine"]) for row in rows if row["vary"] == name]
            axis.plot(*zip(*points, strict=True), "o-", color=colour, label=title)
        if vary == "images":
            axis.legend(frameon=False, loc="lower right", fontsize=11)
        if vary != "draws":
            axis.set_xscale("log", base=2)
            axis.xaxis.set_major_formatter("{x:g}")
        else:
            axis.set_xticks([row["value"] for row in rows if row["vary"] == "draws"])
        axis.axhline(wanted, color=QUIET, linestyle=":")
        axis.set_ylim(least - 0.01, 1.002)
        axis.set_xlabel(label, fontsize=12)
    axes[0].set_ylabel("cosine to images never used", fontsize=12)
    return pixels(figure)
