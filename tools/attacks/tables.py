"""Tables of scored images as JSON lines, and lists of seeds."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from hrv_engine.benchmarks.weakening import parse_seeds
from hrv_engine.weakening.scored_rows import read_rows, scored_images

from .attempt import Attempt
from .mutations import ODD_TEXTS, damaged, damaged_text

ROW = {
    "order": "hrv",
    "heads": 3,
    "factor": -2.0,
    "seed": 1,
    "prompt": "a cat",
    "total": 8,
    "score": 0.5,
    "concept": "A",
}


def attempts(chance: random.Random, folder: Path) -> Iterator[Attempt]:
    """Rows of a sweep with damage, and seeds as typed."""
    while True:
        if chance.random() < 0.2:
            text = ", ".join(chance.choice([*ODD_TEXTS, "1", "20", "٣", "²"]) for _ in range(chance.choice([1, 2, 5])))
            yield Attempt(f"seeds: {text}", partial(parse_seeds, text, (7,)), _wrong_seeds)
            continue
        rows = [{**ROW, "heads": heads} for heads in range(4)]
        text = "\n".join(json.dumps(damaged(row, chance, chance.choice([0, 0, 1]))) for row in rows)
        text = damaged_text(text, chance) if chance.random() < 0.4 else text
        yield Attempt(f"rows: {text[:150]}", partial(_read, text), _wrong)


def _read(text: str) -> Any:
    return scored_images(read_rows(text))


def _wrong_seeds(seeds: Any) -> str:
    return "" if all(type(seed) is int and seed >= 0 for seed in seeds) else f"seeds {seeds}"


def _wrong(images: Any) -> str:
    for image in images:
        if not (math.isfinite(image.score) and math.isfinite(image.factor)):
            return f"a score of {image.score} by {image.factor}"
        if not 0 <= image.heads <= image.total or image.total < 1:
            return f"{image.heads} of {image.total} heads"
    return ""
