"""Weakening curves as a figure: one line per order with its band, random orders in thin grey (section 4)."""

from typing import Any

import numpy as np

from ..optional import library
from ..tables import MINUS
from ..weakening.curves import Curve, WeakeningResult
from ..weakening.orders import RANDOM
from .plots import PALETTE, QUIET, new_plot, pixels

COLOURS = {"MoRHF": PALETTE[1], "LeRHF": PALETTE[0]}


def curves_figure(result: WeakeningResult, title: str) -> np.ndarray:
    """One panel per factor: mean score against k, with the area between the lines; uint8 [height width 3]."""
    factors = result.factors
    figure, axes = new_plot(len(factors), width=7.2 * len(factors) ** 0.8, height=4.8)
    panels = list(np.atleast_1d(axes))
    low, high = score_limits(result)
    for axis, factor in zip(panels, factors, strict=True):
        axis.set_ylim(low, high)
        draw_curves(axis, result, factor)
        axis.set_title(_signed(f"{title}, factor {factor:g}"), fontsize=13, loc="left")
        axis.set_title(_signed(_areas(result, factor)), fontsize=11, loc="right", color=QUIET)
        axis.set_xlabel(f"weakened heads k, of {result.total}", fontsize=12)
    panels[0].set_ylabel(result.scorer or "score", fontsize=12)
    figure.supxlabel(_footnote(result), x=0.995, ha="right", fontsize=10, color=QUIET)
    return pixels(figure)


def draw_curves(axis: Any, result: WeakeningResult, factor: float) -> None:
    """MoRHF and LeRHF with their bands, random orders in thin grey, each named at its line, on a matplotlib axis."""
    axis.set_xlim(0, result.total)
    for curve in (curve for curve in result.curves if curve.factor == factor):
        colour = COLOURS.get(curve.order, QUIET)
        if curve.order not in COLOURS:
            axis.plot(curve.heads, curve.scores, color=colour, linewidth=1.0, zorder=1)
            continue
        axis.plot(curve.heads, curve.scores, color=colour, linewidth=2.4, zorder=3)
        if curve.low is not None and curve.high is not None:
            axis.fill_between(curve.heads, curve.low, curve.high, color=colour, alpha=0.18, linewidth=0, zorder=2)
        opposite = result.curve("LeRHF" if curve.order == "MoRHF" else "MoRHF", factor)
        _name(axis, curve, opposite, colour)


def score_limits(result: WeakeningResult) -> tuple[float, float]:
    """The range of all scores and bands, with room for the names of the lines."""
    every = [curve.scores for curve in result.curves]
    every += [band for curve in result.curves for band in (curve.low, curve.high) if band is not None]
    low, high = float(np.min(every)), float(np.max(every))
    room = 0.1 * (high - low) or 0.1
    return low - room, high + room


def _name(axis: Any, curve: Curve, opposite: Curve | None, colour: str) -> None:
    """Write the order where the other line is far: above and right of LeRHF, below and left of MoRHF."""
    above = curve.order == "LeRHF"
    k = np.linspace(curve.heads[0], curve.heads[-1], 101)[slice(10, 70) if above else slice(25, 92)]
    height = np.interp(k, curve.heads, curve.scores)
    gap = np.abs(height - np.interp(k, opposite.heads, opposite.scores)) if opposite else k
    place = int(gap.argmax())
    halo = library("matplotlib.patheffects", "matplotlib", "figures", "This plot").withStroke(
        linewidth=3, foreground="white"
    )
    axis.annotate(
        curve.order,
        (k[place], height[place]),
        (4, 4) if above else (-4, -4),
        textcoords="offset points",
        color=colour,
        fontsize=12,
        fontweight="bold",
        ha="left" if above else "right",
        va="bottom" if above else "top",
        path_effects=[halo],
        zorder=4,
    )


def _areas(result: WeakeningResult, factor: float) -> str:
    areas = result.areas(factor)
    chance = [area for name, area in areas.items() if name != "hrv"]
    parts = [f"area {areas['hrv']:+.3f}"] if "hrv" in areas else []
    return ", ".join([*parts, f"random {np.mean(chance):+.3f}"] if chance else parts)


def _footnote(result: WeakeningResult) -> str:
    parts = [f"{result.prompts} prompt{'s' * (result.prompts > 1)}"]
    if any(curve.low is not None for curve in result.curves):
        parts.append(f"bands: {100 * result.confidence:.4g} % confidence")
    if any(curve.order.startswith(RANDOM) for curve in result.curves):
        parts.append("grey: random orders")
    return "; ".join(parts)


def _signed(text: str) -> str:
    return text.replace("-", MINUS)
