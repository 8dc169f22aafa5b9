"""Rows of a scored sweep as JSON lines, one per image: read, joined with scores, checked."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import HRVError
from ..storage import plain_json
from ..storage.plain_json import excerpt
from ..text.lists import listed

NEEDED = ("order", "heads", "factor", "seed", "prompt", "total")
SAME = {  # what all rows of one result share, if they have it
    "total": "come from models with different numbers of heads",
    "concept": "weaken the heads of different concepts",
    "scorer": "hold scores of different kinds",
}


@dataclass(frozen=True)
class ScoredImage:
    """An image of a sweep and its score: `heads` of the model's `total` heads weakened by `factor`, in an order.

    concept, scorer: whose heads were weakened and what the score is, None where the row does not say.
    """

    order: str
    factor: float
    heads: int
    prompt: str
    score: float
    total: int
    concept: str | None
    scorer: str | None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "ScoredImage":
        """The image of a row; KeyError, TypeError or ValueError for one that is not scored."""
        if not 0 <= int(row["heads"]) <= int(row["total"]) or int(row["total"]) < 1:
            raise ValueError(f"{excerpt(row['heads'])} heads of {excerpt(row['total'])}")
        concept, scorer = (None if row.get(key) is None else str(row[key]) for key in ("concept", "scorer"))
        if not (math.isfinite(float(row["factor"])) and math.isfinite(float(row["score"]))):
            raise ValueError(f"a score of {excerpt(row['score'])} by {excerpt(row['factor'])}")
        return cls(
            order=str(row["order"]),
            factor=float(row["factor"]),
            heads=int(row["heads"]),
            prompt=str(row["prompt"]),
            score=float(row["score"]),
            total=int(row["total"]),
            concept=concept,
            scorer=scorer,
        )


def read_rows(text: str) -> list[dict[str, Any]]:
    """Rows from JSON lines; raises HRVError that quotes a line that is none."""
    rows = []
    for line in listed(text, "\n"):
        try:
            row = plain_json.parse(line)
        except ValueError:
            row = None
        if not isinstance(row, dict):
            raise HRVError(
                f'"{line[:60]}" is no line of a table of images, which has one JSON object per image. Give the table as'
                " it was made."
            )
        rows.append(row)
    return rows


def write_rows(rows: Sequence[Mapping[str, Any]]) -> str:
    """The inverse of `read_rows`."""
    return "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)


def with_scores(
    table: str, word: str, scores: np.ndarray, scorer: str = "score", captions: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """The rows of a table (empty: one per image, numbered) with word, score and scorer, the name of the score.

    scores: float [images]; captions: one per image, or none. Raises HRVError if there are not as many rows as scores.
    """
    rows = read_rows(table) or [{"image": number} for number in range(len(scores))]
    if len(rows) != len(scores):
        raise HRVError(
            f"There are {len(scores)} images but {len(rows)} lines in the table. Give the images and the table of the"
            " same sweep, or no table."
        )
    scored = [
        {**row, "word": word, "score": float(score), "scorer": scorer} for row, score in zip(rows, scores, strict=True)
    ]
    return [{**row, "caption": text} for row, text in zip(scored, captions, strict=True)] if captions else scored


def scored_images(rows: Sequence[Mapping[str, Any]]) -> list[ScoredImage]:
    """The images of scored rows; raises HRVError unless they are of sweeps of one model, concept and scorer."""
    if not rows:
        raise HRVError(
            "There is nothing to draw a curve from: the table is empty. Score the images of a sweep, with its table."
        )
    if any("score" not in row for row in rows):
        raise HRVError(
            "These rows have no scores, so there is no curve yet. Score the images of the sweep, with its table."
        )
    missing = [key for key in NEEDED if any(key not in row for row in rows)]
    if missing:
        raise HRVError(f"The rows lack {', '.join(missing)}. Score the images of a sweep together with its table.")
    for key, differ in SAME.items():
        values = dict.fromkeys(str(row.get(key, "")) for row in rows)
        if len(values) > 1:
            raise HRVError(f"These rows {differ} ({', '.join(values)}). Draw one curve for each of them.")
    try:
        return [ScoredImage.of(row) for row in rows]
    except (TypeError, ValueError) as error:
        raise HRVError(f"A row holds no number where one is needed: {error}. Give the table as it was made.") from error
