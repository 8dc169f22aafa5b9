"""Editing (section 5.2, Table 1): the new word is there (CLIP), the rest is kept (BG-DINO), for every method."""

from itertools import permutations
from typing import Any

import torch
from torch import Tensor

from ..editing_benchmark import EditingPair
from ..scorers import readable
from .contact import add_contact_sheet
from .plan import Experiment, Job
from .readers import Readers
from .results import Results, Row, differences, grouped, mean, without_empty
from .store import Store

BORDER = 6  # px of a 32 px picture in which the pocket world's objects hardly reach
METRICS = ("clip", "background_dino", "edited", "kept", "both", "border_difference")


def editing(experiment: Experiment, jobs: list[Job], store: Store, readers: Readers) -> Results:
    """Means of every metric by editing target and method; figures: how much one method gains over another, in per cent.

    A method's pictures are source and target, or the target alone (SDEdit); the source is that of the option `source`.
    """
    rows = [
        {
            "target": job.case.group,
            "method": method,
            "pair": job.case.label,
            "seed": job.case.seed,
            **_read(experiment, job, store, readers, method),
        }
        for job in jobs
        for method in experiment.pictures
    ]
    summary = [
        {"target": key[0], "method": key[1], "pictures": len(several)}
        | {metric: mean(row[metric] for row in several) for metric in METRICS}
        for key, several in grouped(rows, "target", "method").items()
    ]
    found = Results(tables={"summary": without_empty(summary, *METRICS), "pictures": without_empty(rows, *METRICS)})
    for (target,), several in grouped(summary, "target").items():
        found.figures |= _gains(target, {row["method"]: row for row in several})
    found.tables["differences"] = differences(rows, "target", ("pair", "seed"), METRICS, experiment.options["compare"])
    add_contact_sheet(found, jobs, store, list(experiment.pictures))
    return found


def _read(experiment: Experiment, job: Job, store: Store, readers: Readers, method: str) -> Row:
    read: dict[str, Any] = dict.fromkeys(METRICS, "")
    pair: EditingPair = job.case.about
    clip = readers.score("clip", store, job, method, pair.target)
    if clip:
        read["clip"] = clip[-1]
    if "pocket" in experiment.score or ("background" in experiment.score and readers.background):
        source = store.pictures(job.name, experiment.options["source"])[:1]
        target = store.pictures(job.name, method)[-1:]
        if "pocket" in experiment.score:
            read |= _seen(pair, readers, source, target)
        else:
            about = f"background|{readers.identity}|{method}"
            read["background_dino"] = store.kept(
                job.name, about, lambda: readers.kept_background(source, target, pair.thing)
            )
    return read


def _seen(pair: EditingPair, readers: Readers, source: Tensor, target: Tensor) -> dict[str, Any]:
    """What the pocket scorer reads: the edited word, what the prompts leave open, and how far the border moved."""
    before, after = readers.seen(source), readers.seen(target)
    family, number = readable(pair.edited_word)
    edited = bool(after[family].argmax(1)[0] == number)
    kept = bool(before[pair.left_open].argmax(1)[0] == after[pair.left_open].argmax(1)[0])
    inner = torch.ones(source.shape[1:3], dtype=torch.bool)
    inner[BORDER:-BORDER, BORDER:-BORDER] = False
    moved = float((source - target).abs()[:, inner].mean())
    return {"edited": int(edited), "kept": int(kept), "both": int(edited and kept), "border_difference": moved}


def _gains(target: str, rows: dict[str, Row]) -> dict[str, float]:
    """{"CLIP of P2P-HRV over PnP, Image Style": per cent} for every pair of methods that was measured."""
    return {
        f"CLIP of {one} over {other}, {target}": 100 * (rows[one]["clip"] / rows[other]["clip"] - 1)
        for one, other in permutations(rows, 2)
        if rows[one]["clip"] != "" and rows[other]["clip"] not in ("", 0.0)
    }
