"""Two sets of scores of the same prompts and seeds as a figure: each pair, the means, the paired difference."""

from typing import Any

import numpy as np

from ..scoring.intervals import Interval
from ..scoring.score_comparison import ScoreComparison
from ..tables import MINUS
from .plots import PALETTE, QUIET, new_plot, pixels


def score_figure(comparison: ScoreComparison, title: str = "") -> np.ndarray:
    """Each pair as a line between its two scores, the means, and the difference with its interval; uint8 [h w 3]."""
    figure, axes = new_plot(2, width=9.0, height=4.8)
    left, right = axes
    draw = np.random.default_rng(0)
    pairs = comparison.scores.shape[1]
    faint = min(0.6, 12 / pairs + 0.08)
    aside = draw.uniform(-0.06, 0.06, pairs)
    left.plot(np.stack([aside, 1 + aside]), comparison.scores, color=QUIET, alpha=faint, linewidth=1, zorder=1)
    for place, mean in enumerate(comparison.means):
        colour = (PALETTE[0], PALETTE[1])[place]
        left.scatter(place + aside, comparison.scores[place], color=colour, s=16, alpha=faint, linewidth=0, zorder=2)
        _interval(left, place + (-0.22, 0.22)[place], mean, colour)
    left.set_xlim(-0.5, 1.5)
    left.set_xticks([0, 1], comparison.names, fontsize=12)
    left.set_ylabel(comparison.scorer or "score", fontsize=12)
    left.set_title(title or comparison.word or "", fontsize=13, loc="left")
    gains = comparison.scores[1] - comparison.scores[0]
    right.axhline(0, color=QUIET, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    right.scatter(aside, gains, color=PALETTE[2], s=16, alpha=faint, linewidth=0, zorder=2)
    _interval(right, 0.22, comparison.difference, PALETTE[2])
    right.annotate(
        f"{comparison.difference.mean:+.3f}".replace("-", MINUS), (0.22, comparison.difference.mean), (12, 0),
        textcoords="offset points", va="center", fontsize=13, fontweight="bold", color=PALETTE[2],
    )  # fmt: skip
    right.set_xlim(-0.5, 0.9)
    right.set_xticks([0], [f"{comparison.names[1]} {MINUS} {comparison.names[0]}"], fontsize=12)
    right.set_ylabel("difference of a pair", fontsize=12)
    foot = f"{pairs} pairs; bars: mean and {100 * comparison.confidence:.4g} % bootstrap interval"
    figure.supxlabel(foot, x=0.995, ha="right", fontsize=10, color=QUIET)
    return pixels(figure)


def _interval(axis: Any, place: float, mean: Interval, colour: str) -> None:
    axis.plot([place, place], [mean.low, mean.high], color=colour, linewidth=3, solid_capstyle="butt", zorder=3)
    axis.scatter([place], [mean.mean], color=colour, s=70, edgecolor="white", linewidth=1.2, zorder=4)
