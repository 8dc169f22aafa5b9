"""A contact sheet of an experiment: a row a condition (and variant), a column a prompt and seed."""

import numpy as np
from PIL import Image

from ..figures.sheets import sheet
from .plan import Job
from .results import Results
from .store import Store

COLUMNS = 8


def add_contact_sheet(results: Results, jobs: list[Job], store: Store, conditions: list[str]) -> None:
    """Add the drawing "pictures" and a note of what its columns are, spread over the groups of prompts.

    Of several images of a condition the last is shown, an edit's target.
    """
    variants = list(dict.fromkeys(job.variant for job in jobs))
    by_case = {(job.variant, _key(job)): job for job in jobs}
    whole = [job for job in jobs if all((variant, _key(job)) in by_case for variant in variants)]
    chosen = _spread([job for job in whole if job.variant == variants[0]])
    if not chosen:
        return
    rows = [(variant, condition) for variant in variants for condition in conditions]
    files = [
        store.files(by_case[variant, _key(job)].name, condition)[-1] for variant, condition in rows for job in chosen
    ]
    tiles = np.stack([np.asarray(Image.open(file).convert("RGB")) for file in files])
    labels = [" ".join(filter(None, (condition, variant and f"({variant})"))) for variant, condition in rows]
    results.drawings["pictures"] = sheet(tiles, labels, [str(number + 1) for number in range(len(chosen))])
    lines = [f"{number}. {job.case.prompt}, seed {job.case.seed}" for number, job in enumerate(chosen, 1)]
    results.notes.append("Columns of pictures.png:\n\n" + "\n".join(lines))


def _key(job: Job) -> tuple[str, str, int]:
    return job.case.group, job.case.label, job.case.seed


def _spread(jobs: list[Job]) -> list[Job]:
    """The first case of every group, then the second of every group, and so on."""
    groups: dict[str, list[Job]] = {}
    for job in jobs:
        groups.setdefault(job.case.group, []).append(job)
    deepest = max((len(several) for several in groups.values()), default=0)
    ordered = [several[depth] for depth in range(deepest) for several in groups.values() if depth < len(several)]
    return ordered[:COLUMNS]
