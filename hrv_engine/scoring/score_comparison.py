"""Two sets of scores of the same prompts and seeds: means, the paired difference, and the figure of both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import HRVError
from ..storage.plain_json import excerpt
from ..tables import MINUS
from .intervals import Interval, mean_interval, paired_difference

SHARED = {  # what the rows of a pair share, if both have it
    "word": "scored against different words",
    "scorer": "scored by different scorers",
    "prompt": "drawn from different prompts",
    "seed": "drawn from different seeds",
}


@dataclass(frozen=True)
class ScoreComparison:
    """Scores float64 [2 pairs] of the first and the second, their means and the mean of second - first.

    scorer, word: what the scores are and what was scored against, None where the rows do not say.
    """

    names: tuple[str, str]
    scores: np.ndarray
    means: tuple[Interval, Interval]
    difference: Interval
    confidence: float
    scorer: str | None
    word: str | None

    @classmethod
    def of(
        cls, first: Sequence[Mapping[str, Any]], second: Sequence[Mapping[str, Any]], names: tuple[str, str],
        confidence: float = 0.95, seed: int = 0,
    ) -> "ScoreComparison":  # fmt: skip
        """Compare scored rows pair by pair in their order.

        Raises HRVError for rows without scores, for scores that are no numbers, for other numbers of rows, and for
        pairs that are not of the same prompt, seed, word and scorer.
        """
        for name, rows in zip(names, (first, second), strict=True):
            if not rows or any("score" not in row for row in rows):
                raise HRVError(f'The table "{name}" holds no scores. Score its images first.')
        a, b = ([_score(row, name) for row in rows] for name, rows in zip(names, (first, second), strict=True))
        difference = paired_difference(a, b, seed, confidence)
        for number, (row, other) in enumerate(zip(first, second, strict=True), 1):
            for key, differ in SHARED.items():
                if key in row and key in other and row[key] != other[key]:
                    raise HRVError(
                        f"Pair {number} is no pair: its images were {differ} ({row[key]} and {other[key]}). Score the"
                        " same prompts and seeds in both tables, in the same order."
                    )
        means = (mean_interval(a, seed, confidence), mean_interval(b, seed, confidence))
        scores = np.array([a, b])
        return cls(names, scores, means, difference, confidence, _named(first, "scorer"), _named(first, "word"))

    def text(self) -> str:
        """The comparison in a few lines."""
        first, second = self.names
        sure = "no difference" if self.difference.low <= 0 <= self.difference.high else "a difference"
        gains, losses = (int((np.sign(self.scores[1] - self.scores[0]) == sign).sum()) for sign in (1, -1))
        return "\n".join(
            [
                f"{self.scorer or 'score'}{f' of {self.word}' if self.word else ''}, {self.scores.shape[1]} pairs",
                *(f"{name}: mean {mean}" for name, mean in zip(self.names, self.means, strict=True)),
                (
                    f"{second} {MINUS} {first}: {self.difference}, {100 * self.confidence:.4g} % bootstrap interval"
                    f" over pairs, which shows {sure}"
                ),
                f"{second} is higher in {gains} pairs, lower in {losses}",
            ]
        )


def _score(row: Mapping[str, Any], name: str) -> float:
    try:
        return float(row["score"])
    except (TypeError, ValueError):
        raise HRVError(
            f'The table "{name}" holds the score {excerpt(row["score"])}, which is no number. Score its images again,'
            " or leave that row out of both tables."
        ) from None


def _named(rows: Sequence[Mapping[str, Any]], key: str) -> str | None:
    """What the rows hold under a key, each once; None if they hold nothing."""
    return ", ".join(dict.fromkeys(str(row[key]) for row in rows if row.get(key))) or None
