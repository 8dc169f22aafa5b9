"""Weakening curves: scores against the number of weakened heads, with bands, areas and a figure (figure 7, Table 6)."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import integrate, stats

from .errors import HRVError
from .plots import PALETTE, QUIET, new_plot, pixels
from .weakening import RANDOM, WeakeningCurve, area_between

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
    """The curves of one experiment; total: H, the number of heads of the model; prompts: how many were averaged."""

    curves: tuple[Curve, ...]
    total: int
    prompts: int

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, Any]], confidence: float = 0.95) -> "WeakeningResult":
        """Curves from rows {order, heads, factor, seed, prompt, word, score, total}, one a picture.

        Scores are averaged over the seeds of a prompt first; the band is a percentile bootstrap over prompts
        (2000 resamples, fixed seed). Raises HRVError for no rows, rows without scores, or orders with different k.
        """
        _check(rows, confidence)
        keys = dict.fromkeys((str(row["order"]), float(row["factor"])) for row in rows)
        curves = tuple(_curve(order, factor, rows, confidence) for order, factor in keys)
        if len({curve.heads for curve in curves}) > 1 or len(curves[0].heads) < 2:
            listed = "; ".join(f"{curve.order}: {list(curve.heads)}" for curve in curves)
            raise HRVError(
                f"A curve needs the same two or more numbers of heads in every order, but these were drawn: {listed}."
                " Draw all orders in the same HRV Weaken Sweep, with k = 0 and all heads among them."
            )
        return cls(curves, int(rows[0]["total"]), len({str(row["prompt"]) for row in rows}))

    def curve(self, order: str, factor: float) -> Curve | None:
        """The curve of an order, None if it was not drawn."""
        return next((one for one in self.curves if (one.order, one.factor) == (order, factor)), None)

    @property
    def factors(self) -> tuple[float, ...]:
        """The factors drawn, in their order."""
        return tuple(dict.fromkeys(curve.factor for curve in self.curves))

    def base_score(self) -> float:
        """The mean score of the plain pictures (k = 0)."""
        return float(self.curves[0].scores[0])

    def areas(self, factor: float) -> dict[str, float]:
        """LeRHF minus MoRHF over k / H (Table 6): "hrv", and each random order against its reverse where both exist."""
        found = {}
        pairs = {"hrv": ("LeRHF", "MoRHF")} | {
            curve.order: (f"{curve.order} reversed", curve.order)
            for curve in self.curves
            if curve.order.startswith(RANDOM) and not curve.order.endswith("reversed")
        }
        for name, (less, more) in pairs.items():
            both = self.curve(less, factor), self.curve(more, factor)
            if both[0] and both[1]:
                found[name] = area_between(both[0].plain, both[1].plain, self.total)
        return found

    def table(self) -> list[dict[str, Any]]:
        """One row a curve and point: order, factor, heads, score, low, high."""
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
        lines = [f"{self.prompts} prompts, H = {self.total}, plain score {self.base_score():.4f}"]
        for factor in self.factors:
            areas = self.areas(factor)
            if "hrv" in areas:
                lines.append(
                    f"factor {factor:g}: area LeRHF - MoRHF over k/H = {areas['hrv']:+.4f} (H times:"
                    f" {areas['hrv'] * self.total:+.3f})"
                )
            chance = [area for name, area in areas.items() if name != "hrv"]
            if chance:
                listed = ", ".join(f"{area:+.4f}" for area in chance)
                lines.append(f"factor {factor:g}: random orders {listed}; mean {np.mean(chance):+.4f}")
        lines += [f"{curve.order} x {curve.factor:g}: mean score {curve.mean_score():.4f}" for curve in self.curves]
        return "\n".join(lines)


def read_rows(text: str) -> list[dict[str, Any]]:
    """Rows from JSON lines; raises HRVError that quotes a line that is none."""
    rows = []
    for line in filter(None, (line.strip() for line in text.splitlines())):
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            row = None
        if not isinstance(row, dict):
            raise HRVError(
                f'"{line[:60]}" is no line of a table of HRV Weaken Sweep or HRV Score Images (one JSON object a'
                " picture). Connect the output `table` of these nodes."
            )
        rows.append(row)
    return rows


def with_scores(table: str, word: str, scores: np.ndarray) -> list[dict[str, Any]]:
    """The rows of a table (empty: one a picture, numbered) with word and score; raises HRVError if counts differ."""
    rows = read_rows(table) or [{"image": number} for number in range(len(scores))]
    if len(rows) != len(scores):
        raise HRVError(
            f"There are {len(scores)} pictures but {len(rows)} lines in the table. Connect images and table of the same"
            " HRV Weaken Sweep, or leave the table open."
        )
    return [{**row, "word": word, "score": float(score)} for row, score in zip(rows, scores, strict=True)]


def draw_curves(axis: Any, result: WeakeningResult, factor: float) -> None:
    """MoRHF and LeRHF with their bands, random orders in thin grey, each named at its line, on a matplotlib axis."""
    for curve in result.curves:
        if curve.factor != factor:
            continue
        named = {"MoRHF": PALETTE[1], "LeRHF": PALETTE[0]}
        colour = named.get(curve.order, QUIET)
        chance = curve.order not in named
        axis.plot(curve.heads, curve.scores, color=colour, linewidth=1.0 if chance else 2.4, zorder=1 if chance else 3)
        if not chance and curve.low is not None:
            axis.fill_between(curve.heads, curve.low, curve.high, color=colour, alpha=0.18, linewidth=0, zorder=2)
        if not chance:
            gap = np.abs(curve.scores[1:-1] - curve.scores[0]) if len(curve.heads) > 2 else np.zeros(1)
            place = (int(gap.argmax()) if curve.order == "MoRHF" else len(curve.heads) // 2 - 1) + 1
            place = min(place, len(curve.heads) - 1)
            shift = (0, -14) if curve.order == "MoRHF" else (0, 8)
            axis.annotate(curve.order, (curve.heads[place], curve.scores[place]), shift, textcoords="offset points",
                          color=colour, fontsize=12, fontweight="bold", ha="center")  # fmt: skip
    axis.set_xlim(0, result.total)


def curves_figure(result: WeakeningResult, title: str, score_name: str = "score") -> np.ndarray:
    """One panel a factor: mean score against k, uint8 [height width 3]; grey lines are random orders."""
    factors = result.factors
    figure, axes = new_plot(len(factors), width=7.0 * len(factors) ** 0.8, height=4.6)
    for axis, factor in zip(np.atleast_1d(axes), factors, strict=True):
        draw_curves(axis, result, factor)
        axis.set_xlabel("weakened heads k", fontsize=12)
        axis.set_title(f"{title}, factor {factor:g}", fontsize=13, loc="left")
    np.atleast_1d(axes)[0].set_ylabel(score_name, fontsize=12)
    if any(curve.order.startswith(RANDOM) for curve in result.curves):
        figure.text(0.995, 0.01, "grey: random orders", color=QUIET, fontsize=10, ha="right")
    return pixels(figure)


def _check(rows: Sequence[Mapping[str, Any]], confidence: float) -> None:
    if not rows:
        raise HRVError(
            "There is nothing to draw a curve from: the table is empty. Connect the table of HRV Score Images."
        )
    if any("score" not in row for row in rows):
        raise HRVError(
            "These rows have no scores, so there is no curve yet. Connect HRV Weaken Sweep's images and table to HRV"
            " Score Images, and its table here."
        )
    missing = [key for key in ("order", "heads", "factor", "seed", "prompt", "total") if key not in rows[0]]
    if missing:
        raise HRVError(f"The rows lack {', '.join(missing)}. Give HRV Score Images the table of HRV Weaken Sweep.")
    if len({row["total"] for row in rows}) > 1:
        raise HRVError("These rows come from models with different numbers of heads. Draw one curve for each model.")
    if not 0 < confidence < 1:
        raise HRVError(f"confidence = {confidence} is no probability. Use a number between 0 and 1, for instance 0.95.")


def _curve(order: str, factor: float, rows: Iterable[Mapping[str, Any]], confidence: float) -> Curve:
    by_heads: dict[int, dict[str, list[float]]] = {}
    for row in rows:
        if (row["order"], float(row["factor"])) == (order, factor):
            by_heads.setdefault(int(row["heads"]), {}).setdefault(str(row["prompt"]), []).append(float(row["score"]))
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
