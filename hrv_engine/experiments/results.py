"""What an experiment measured, written as CSV, Markdown and images. A cell without a measurement stays empty."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..scoring.intervals import LEAST, paired_difference
from ..tables import as_csv
from .plan import Experiment
from .store import disk_full_errors, write_whole

Row = dict[str, Any]


@dataclass
class Results:
    """Tables by name ("summary" first, "pictures" with one row an image), named figures, and drawings uint8 [H W 3].

    figures: {name: measured value}; what the paper states under the same name stands beside it in comparison.csv.
    """

    tables: dict[str, list[Row]] = field(default_factory=dict)
    figures: dict[str, float] = field(default_factory=dict)
    drawings: dict[str, np.ndarray] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def write(folder: Path, experiment: Experiment, results: Results, counted: str) -> list[Path]:
    """Write all of it into the folder, each file whole or not at all; the paths, README.md first.

    counted: how many of the experiment's jobs stand behind the figures.
    """
    written = []
    tables = dict(results.tables)
    if experiment.paper:
        tables["comparison"] = compared(experiment.paper, results.figures)
    for name, rows in tables.items():
        write_whole(folder / f"{name}.csv", as_csv(rows))
        written.append(folder / f"{name}.csv")
    for name, drawing in results.drawings.items():
        with disk_full_errors():
            Image.fromarray(drawing).save(folder / f"{name}.png")
        written.append(folder / f"{name}.png")
    parts = [f"# {experiment.name}", experiment.about, f"Source: {experiment.source}. Workflow: {experiment.workflow}."]
    parts += [counted, *results.notes]
    parts += [f"## {name}\n\n{as_markdown(rows)}" for name, rows in tables.items() if name != "pictures" and rows]
    parts += [f"![{name}]({name}.png)" for name in results.drawings]
    write_whole(folder / "README.md", "\n\n".join(parts) + "\n")
    return [folder / "README.md", *written]


def compared(paper: Iterable[Mapping[str, Any]], figures: Mapping[str, float]) -> list[Row]:
    """One row a statement of the paper: figure, paper, measured (empty if it was not), note."""
    return [
        {
            "figure": one["figure"],
            "paper": one["value"],
            "measured": figures.get(one["figure"], ""),
            "note": one.get("note", ""),
        }
        for one in paper
    ]


def as_markdown(rows: Sequence[Row]) -> str:
    """A Markdown table with the keys of the first row; numbers with four digits, nothing for what was not measured."""
    keys = list(rows[0])
    lines = [keys, ["---"] * len(keys), *([_cell(row[key]) for key in keys] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(value: Any) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text.replace("|", "/").replace("\n", " ")


def mean(values: Iterable[Any]) -> float | str:
    """The mean of what was measured, "" if nothing was."""
    found = [float(value) for value in values if value != ""]
    return float(np.mean(found)) if found else ""


def grouped(rows: Iterable[Row], *keys: str) -> dict[tuple, list[Row]]:
    """Rows by the values of some of their keys, in the order of their first appearance."""
    found: dict[tuple, list[Row]] = {}
    for row in rows:
        found.setdefault(tuple(row[key] for key in keys), []).append(row)
    return found


def differences(rows: Sequence[Row], metrics: Iterable[str], method: str) -> list[Row]:
    """How much `method` is above every other one by group, with the 95 % bootstrap interval of the mean over pairs.

    rows: with group, method, prompt and seed; pairs share the last two. Nothing where fewer than two were measured.
    """
    found = []
    for (group,), some in grouped(rows, "group").items():
        by_method = {
            name: {(row["prompt"], row["seed"]): row for row in lines}
            for (name,), lines in grouped(some, "method").items()
        }
        mine = by_method.pop(method, {})
        for metric in metrics:
            for other, theirs in by_method.items():
                pairs = [(theirs[key][metric], mine[key][metric]) for key in mine if key in theirs]
                pairs = [pair for pair in pairs if "" not in pair]
                if len(pairs) >= LEAST:
                    change = paired_difference([low for low, _ in pairs], [high for _, high in pairs])
                    line = {"group": group, "metric": metric, "method": method, "over": other, "pairs": len(pairs)}
                    found.append({**line, "mean": change.mean, "low": change.low, "high": change.high})
    return found


def without_empty(rows: Sequence[Row], *keys: str) -> list[Row]:
    """The rows without those of the columns `keys` that are empty in all of them."""
    empty = {key for key in keys if all(row.get(key, "") == "" for row in rows)}
    return [{key: value for key, value in row.items() if key not in empty} for row in rows]
