"""Several objects (section 5.3, Tables 2 and 12): is everything there, for every method."""

from itertools import permutations
from typing import Any

import torch

from ..multi_benchmark import MultiPrompt
from ..pocket.scenes import KINDS, kind_of
from ..pocket.scoring import CLASSES, PRESENT
from .contact import add_contact_sheet
from .plan import Experiment, Job
from .readers import Readers
from .results import Results, Row, differences, grouped, mean, without_empty
from .store import Store

SCORED = {"full_prompt": "clip", "minimum_object": "minimum", "caption": "caption"}
METRICS = (*SCORED, "present", "bound")


def several(experiment: Experiment, jobs: list[Job], store: Store, readers: Readers) -> Results:
    """Means of every metric by set of prompts and method; figures: gains of one method over another, in per cent."""
    rows = [
        {
            "prompts": job.case.group,
            "method": method,
            "prompt": job.case.label,
            "seed": job.case.seed,
            **_read(experiment, job, store, readers, method),
        }
        for job in jobs
        for method in experiment.pictures
    ]
    summary = [
        {"prompts": key[0], "method": key[1], "pictures": len(some)}
        | {metric: mean(row[metric] for row in some) for metric in METRICS}
        for key, some in grouped(rows, "prompts", "method").items()
    ]
    found = Results(tables={"summary": without_empty(summary, *METRICS), "pictures": without_empty(rows, *METRICS)})
    for (group,), some in grouped(summary, "prompts").items():
        by_method = {row["method"]: row for row in some}
        for one, other in permutations(by_method, 2):
            for metric in SCORED:
                high, low = by_method[one][metric], by_method[other][metric]
                if high != "" and low not in ("", 0.0):
                    found.figures[f"{metric} of {one} over {other}, {group}"] = 100 * (high / low - 1)
    found.tables["differences"] = differences(
        rows, "prompts", ("prompt", "seed"), METRICS, experiment.options["compare"]
    )
    add_contact_sheet(found, jobs, store, list(experiment.pictures))
    return found


def _read(experiment: Experiment, job: Job, store: Store, readers: Readers, method: str) -> Row:
    read: dict[str, Any] = dict.fromkeys(METRICS, "")
    for metric, name in SCORED.items():
        scores = readers.score(name, store, job, method, job.case.label) if name in experiment.score else None
        if scores:
            read[metric] = scores[0]
    if "pocket" in experiment.score:
        asked: MultiPrompt = job.case.about
        seen = readers.seen(store.pictures(job.name, method)[:1])
        places = [KINDS.index(kind_of(noun)) for noun in asked.nouns]
        present = seen["object"][0, places] > PRESENT
        colours = seen["color_of"][0, places].argmax(-1)
        wanted = [CLASSES["color"].index(one) if one else -1 for one in asked.modifiers]
        right = torch.tensor([want in (-1, int(got)) for want, got in zip(wanted, colours, strict=True)])
        read |= {"present": int(present.all()), "bound": int((present & right).all())}
    return read
