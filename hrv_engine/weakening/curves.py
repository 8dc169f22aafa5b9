"""Weakening curves: scores against the number of weakened heads, with bands and areas (section 4, Table 6)."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import integrate, stats

from ..errors import HRVError
from .orders import RANDOM, WeakeningCurve, area_between
from .scored_rows import ScoredImage, scored_images

LEAST_PROMPTS = 3  # below that a band would say nothing
RESAMPLES, SEED = 2000, 0


@dataclass(frozen=True)
class Curve:
    """The mean score of one order and factor at each number of weakened heads, and its confidence band.

    scores, low, high: float64 [points]; low and high are None with fewer than three prompts.
    """

    order: str
    factor: float
    heads: tuple[int, ...]
    scores: np.ndarray
    low: np.ndarray | None
    high: np.ndarray | None

    @property
    def plain(self) -> WeakeningCurve:
        """Head counts and mean scores only."""
        return WeakeningCurve(self.heads, tuple(float(score) for score in self.scores))

    def mean_score(self) -> float:
        """The mean height: the area under the curve, trapezoids over k, divided by the range of k."""
        return float(integrate.trapezoid(self.scores, self.heads) / (self.heads[-1] - self.heads[0]))


@dataclass(frozen=True)
class WeakeningResult:
    """The curves of one experiment.

    total: H, the number of heads of the model; prompts: how many were averaged; confidence: of the bands; concept and
    scorer: whose heads were weakened and what the score is, None where the rows do not say.
    """

    curves: tuple[Curve, ...]
    total: int
    prompts: int
    confidence: float
    concept: str | None
    scorer: str | None

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, Any]], confidence: float = 0.95) -> "WeakeningResult":
        """Curves from rows {order, heads, factor, seed, prompt, word, score, total}, one per image.

        Scores are averaged over the seeds of a prompt first; the band is a percentile bootstrap over prompts
        (2000 resamples, fixed seed). Raises HRVError for no rows, rows without scores, rows of several models, concepts
        or scorers, a single k, or orders with different k.
        """
        images = scored_images(rows)
        if not 0 < confidence < 1:
            raise HRVError(
                f"confidence = {confidence} is no probability. Use a number between 0 and 1, for instance 0.95."
            )
        keys = dict.fromkeys((image.order, image.factor) for image in images)
        curves = tuple(_curve(order, factor, images, confidence) for order, factor in keys)
        if len({curve.heads for curve in curves}) > 1 or len(curves[0].heads) < 2:
            drawn = "; ".join(f"{curve.order}: {list(curve.heads)}" for curve in curves)
            raise HRVError(
                f"A curve needs the same two or more numbers of heads in every order, but these were drawn: {drawn}."
                " Draw all orders in the same sweep, with k = 0 and all heads among them."
            )
        first, prompts = images[0], len({image.prompt for image in images})
        return cls(curves, first.total, prompts, confidence, first.concept, first.scorer)

    def curve(self, order: str, factor: float) -> Curve | None:
        """The curve of an order, None if it was not drawn."""
        return next((curve for curve in self.curves if (curve.order, curve.factor) == (order, factor)), None)

    @property
    def factors(self) -> tuple[float, ...]:
        """The factors drawn, in their order."""
        return tuple(dict.fromkeys(curve.factor for curve in self.curves))

    def base_score(self) -> float:
        """The mean score of the plain images, nan if k = 0 was not drawn."""
        return float(self.curves[0].scores[0]) if self.curves[0].heads[0] == 0 else math.nan

    def areas(self, factor: float) -> dict[str, float]:
        """LeRHF minus MoRHF over k / H (Table 6): "hrv", and each random order against its reverse where both exist."""
        areas = {}
        pairs = {"hrv": ("LeRHF", "MoRHF")} | {
            curve.order: (f"{curve.order} reversed", curve.order)
            for curve in self.curves
            if curve.order.startswith(RANDOM) and not curve.order.endswith("reversed")
        }
        for name, (less, more) in pairs.items():
            both = self.curve(less, factor), self.curve(more, factor)
            if both[0] and both[1]:
                areas[name] = area_between(both[0].plain, both[1].plain, self.total)
        return areas

    def table(self) -> list[dict[str, Any]]:
        """One row per curve and point: order, factor, heads, score, low, high."""
        return [
            {
                "order": curve.order,
                "factor": curve.factor,
                "heads": k,
                "score": float(curve.scores[i]),
                "low": "" if curve.low is None else float(curve.low[i]),
                "high": "" if curve.high is None else float(curve.high[i]),
            }
            for curve in self.curves
            for i, k in enumerate(curve.heads)
        ]

    def text(self) -> str:
        """Areas and heights in a few lines."""
        plain = "" if math.isnan(self.base_score()) else f", plain score {self.base_score():.4f}"
        lines = [f"{self.prompts} prompt{'s' * (self.prompts > 1)}, H = {self.total}{plain}"]
        for factor in self.factors:
            areas = self.areas(factor)
            if "hrv" in areas:
                lines.append(
                    f"factor {factor:g}: area LeRHF - MoRHF over k/H = {areas['hrv']:+.4f} (H times:"
                    f" {areas['hrv'] * self.total:+.3f})"
                )
            chance = [area for name, area in areas.items() if name != "hrv"]
            if chance:
                of_orders = ", ".join(f"{area:+.4f}" for area in chance)
                lines.append(f"factor {factor:g}: random orders {of_orders}; mean {np.mean(chance):+.4f}")
        lines += [f"{curve.order} x {curve.factor:g}: mean score {curve.mean_score():.4f}" for curve in self.curves]
        return "\n".join(lines)


def _curve(order: str, factor: float, images: Iterable[ScoredImage], confidence: float) -> Curve:
    by_heads: dict[int, dict[str, list[float]]] = {}
    for image in images:
        if (image.order, image.factor) == (order, factor):
            by_heads.setdefault(image.heads, {}).setdefault(image.prompt, []).append(image.score)
    heads = tuple(sorted(by_heads))
    prompts = list(by_heads[heads[0]])
    if any(set(by_heads[k]) != set(prompts) for k in heads):
        raise HRVError(
            f"In {order} order some prompts were drawn at some numbers of heads only. Draw every prompt with the same"
            " numbers of heads."
        )
    means = np.array([[np.mean(by_heads[k][prompt]) for k in heads] for prompt in prompts])  # [prompts points]
    if len(prompts) < LEAST_PROMPTS:
        return Curve(order, factor, heads, means.mean(axis=0), None, None)
    band = stats.bootstrap(
        (means,),
        np.mean,
        axis=0,
        confidence_level=confidence,
        n_resamples=RESAMPLES,
        method="percentile",
        rng=np.random.default_rng(SEED),
    ).confidence_interval
    return Curve(order, factor, heads, means.mean(axis=0), band.low, band.high)
