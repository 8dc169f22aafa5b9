"""Methods beside each other from the same noise: editing (section 5.2, Table 1), several objects (5.3, Table 2)."""

from collections.abc import Callable
from itertools import permutations

from ..pocket.reading import border_difference, read_edit, read_several
from .contact import add_contact_sheet
from .plan import Experiment, Job
from .readers import Readers
from .results import Results, Row, differences, grouped, mean, without_empty
from .store import Store

Read = Callable[[Experiment, Job, Store, Readers, str], Row]
EDITING = ("clip", "background_dino", "edited", "kept", "both", "border_difference")
SCORED = {"full_prompt": "clip", "minimum_object": "minimum", "caption": "caption"}
SEVERAL = (*SCORED, "present", "bound")


def editing(experiment: Experiment, jobs: list[Job], store: Store, readers: Readers) -> Results:
    """The new word is there (CLIP with the target prompt), the rest is kept (BG-DINO).

    A method's images are source and target, or the target alone (SDEdit); the source is that of the option `source`.
    """
    return _by_method(experiment, jobs, store, readers, _read_edit, EDITING)


def several(experiment: Experiment, jobs: list[Job], store: Store, readers: Readers) -> Results:
    """Everything is there: CLIP with the whole prompt and with its worst object, captions against the prompt."""
    return _by_method(experiment, jobs, store, readers, _read_several, SEVERAL)


def _by_method(
    experiment: Experiment, jobs: list[Job], store: Store, readers: Readers, read: Read, metrics: tuple[str, ...]
) -> Results:
    """Means by group of prompts and method, differences from the option `compare` with intervals, gains in per cent."""
    rows: list[Row] = [
        {"group": job.case.group, "method": method, "prompt": job.case.label, "seed": job.case.seed}
        | dict.fromkeys(metrics, "")
        | read(experiment, job, store, readers, method)
        for job in jobs
        for method in experiment.pictures
    ]
    summary = [
        {"group": group, "method": method, "pictures": len(some)}
        | {metric: mean(row[metric] for row in some) for metric in metrics}
        for (group, method), some in grouped(rows, "group", "method").items()
    ]
    found = Results(tables={"summary": without_empty(summary, *metrics), "pictures": without_empty(rows, *metrics)})
    found.tables["differences"] = differences(rows, metrics, experiment.options["compare"])
    for (group,), some in grouped(summary, "group").items():
        for one, other in permutations(some, 2):
            for metric in (metric for metric in metrics if one[metric] != "" and other[metric] not in ("", 0.0)):
                name = f"{metric} of {one['method']} over {other['method']}, {group}"
                found.figures[name] = 100 * (one[metric] / other[metric] - 1)
    add_contact_sheet(found, jobs, store, list(experiment.pictures))
    return found


def _read_edit(experiment: Experiment, job: Job, store: Store, readers: Readers, method: str) -> Row:
    pair = job.case.about
    clip = readers.score("clip", store, job, method, pair.target)
    read: Row = {"clip": clip[-1]} if clip else {}
    if "pocket" in experiment.score or "background" in experiment.score:
        source = store.pictures(job.name, experiment.options["source"])[:1]
        target = store.pictures(job.name, method)[-1:]
        if "pocket" in experiment.score:
            seen = [readers.pocket.read(one) for one in (source, target)]
            edited, kept = (int(one[0]) for one in read_edit(pair, *seen))
            moved = float(border_difference(source, target)[0])
            return {"edited": edited, "kept": kept, "both": edited * kept, "border_difference": moved}
        about = f"background|{readers.identity}|{method}"
        read["background_dino"] = store.kept(
            job.name, about, lambda: readers.kept_background(source, target, pair.thing)
        )
    return read


def _read_several(experiment: Experiment, job: Job, store: Store, readers: Readers, method: str) -> Row:
    read: Row = {}
    for metric, name in SCORED.items():
        scores = readers.score(name, store, job, method, job.case.label) if name in experiment.score else None
        if scores:
            read[metric] = scores[0]
    if "pocket" in experiment.score:
        seen = readers.pocket.read(store.pictures(job.name, method)[:1])
        read["present"], read["bound"] = (int(one[0]) for one in read_several(job.case.about, seen))
    return read
