"""Ordered weakening (section 4, Table 6): the area between the LeRHF and the MoRHF line of each concept."""

from typing import Any

import numpy as np

from ..figures.curves import curves_figure
from ..weakening.curves import WeakeningResult
from ..weakening.scored_rows import with_scores
from .plan import Experiment, Job
from .readers import Readers
from .results import Results, Row, grouped, without_empty
from .store import Store


def weakening(experiment: Experiment, jobs: list[Job], store: Store, readers: Readers) -> Results:
    """Areas and curves of every experiment of the benchmark; nothing where images were not scored."""
    name = next(iter(experiment.score), "")
    rows: list[Row] = []
    for job in jobs:
        scores = readers.score(name, store, job, "images", job.case.asked["word"])
        if scores is not None:
            scored = with_scores(
                store.texts(job.name)["table"], job.case.asked["word"], np.asarray(scores), readers.scorers[name].name
            )
            rows += [{"variant": job.variant, "experiment": job.case.group, **row} for row in scored]
    found = Results()
    summary, points = [], []
    for (variant, group), several in grouped(rows, "variant", "experiment").items():
        result = WeakeningResult.of(several)
        for factor in result.factors:
            areas = result.areas(factor)
            chance = [area for key, area in areas.items() if key != "hrv"]
            summary.append(_summary(variant, group, result, factor, areas, chance))
            found.figures |= {
                f"area, {group}" + f", {variant}" * bool(variant): areas["hrv"],
                f"plain score, {group}" + f", {variant}" * bool(variant): result.base_score(),
            }
        points += [{"variant": variant, "experiment": group, **point} for point in result.table()]
        title = " ".join(filter(None, (group, variant)))
        found.drawings[f"curve_{_file(title)}"] = curves_figure(result, title)
    if not summary:
        for variant, group in dict.fromkeys((job.variant, job.case.group) for job in jobs):
            summary.append({"variant": variant, "experiment": group, "area": ""})
        found.notes.append(f"The images are drawn but not scored: give the weights of the scorer ({name}).")
    found.tables = {
        "summary": without_empty(summary, "variant", "random_mean", "random_largest"),
        "points": without_empty(points, "variant"),
        "pictures": without_empty(rows, "variant"),
    }
    return found


def _summary(
    variant: str, group: str, result: WeakeningResult, factor: float, areas: dict[str, float], chance: list[float]
) -> dict[str, Any]:
    """One line of Table 6: the area over k/H of the HRV's order, and of random orders against their reverse."""
    return {
        "variant": variant,
        "experiment": group,
        "concept": result.concept,
        "factor": factor,
        "prompts": result.prompts,
        "plain_score": result.base_score(),
        "area": areas["hrv"],
        "area_times_heads": areas["hrv"] * result.total,
        "random_orders": len(chance),
        "random_mean": float(np.mean(chance)) if chance else "",
        "random_largest": float(np.abs(chance).max()) if chance else "",
    }


def _file(text: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in text.casefold())
