"""Building vectors and looking at them (sections 3 and 6, appendices I and J): the graph's own tables and figures."""

import csv
import io
from typing import Any

import numpy as np
from PIL import Image

from ..inspection.similarity import cosines
from .plan import Experiment, Job
from .readers import Readers
from .results import Results
from .store import Store


def vectors(experiment: Experiment, jobs: list[Job], store: Store, _readers: Readers) -> Results:
    """The texts named `table...` of a run as tables, its images as drawings, its other texts as notes.

    Figures come from tables the graph's nodes wrote: cosines of timesteps or concepts, and of vectors before and after.
    """
    found = Results()
    for job in jobs:
        texts = store.texts(job.name)
        tables = {name: _read_csv(text) for name, text in texts.items() if name.startswith("table")}
        summaries = [_figures(name, rows) for name, rows in tables.items()]
        found.figures |= {key: value for one in summaries for key, value in one.items()}
        named = {name.removeprefix("table").strip().replace(" ", "_") or "table": rows for name, rows in tables.items()}
        summary = [{"figure": key, "value": value} for key, value in found.figures.items()]
        found.tables = {"summary": summary, **named}
        found.drawings = {
            name: np.asarray(Image.open(store.files(job.name, name)[0]).convert("RGB")) for name in experiment.pictures
        }
        found.notes = [f"```\n{text}\n```" for name, text in texts.items() if not name.startswith("table")]
    return found


def _read_csv(text: str) -> list[dict[str, Any]]:
    return [{key: _number(value) for key, value in row.items()} for row in csv.DictReader(io.StringIO(text))]


def _number(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text


def _figures(name: str, rows: list[dict[str, Any]]) -> dict[str, float]:
    """Figures of a table by its columns: a matrix of cosines, a heat map's numbers, or a comparison of two files."""
    if not rows:
        return {}
    keys = list(rows[0])
    if keys[0] in ("timestep", "concept") and len(keys) == len(rows) + 1:
        matrix = np.array([[row[key] for key in keys[1:]] for row in rows])
        apart = matrix[~np.eye(len(rows), dtype=bool)]
        of = f"{keys[0]}s"
        found = {"lowest": apart.min(), "mean": apart.mean(), "median": np.median(apart), "highest": apart.max()}
        return {f"{which} cosine of {of}": float(value) for which, value in found.items()}
    if {"concept", "head", "relevance"} <= set(keys):
        concepts = list(dict.fromkeys(row["concept"] for row in rows))
        values = np.array([row["relevance"] for row in rows]).reshape(len(concepts), -1)
        apart = cosines(values)[~np.eye(len(concepts), dtype=bool)] if len(concepts) > 1 else np.array([])
        found = {"heads": float(values.shape[1]), "concepts with votes": float(len(concepts))}
        return found | ({"mean cosine of concepts": float(apart.mean())} if apart.size else {})
    if "cosine" in keys:
        moved = np.array([row["cosine"] for row in rows])
        found = {"mean cosine before and after": moved.mean(), "lowest cosine before and after": moved.min()}
        return {key: float(value) for key, value in found.items()}
    return {}
