"""Experiments as YAML: damaged entries, and the jobs that come of them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import yaml

from hrv_engine.experiments import plan
from hrv_engine.experiments.cases import cases
from hrv_engine.paths import PRESETS

from .attempt import Attempt
from .mutations import damaged, damaged_text

NAMES = ("misreading", "editing", "multi_concept", "weakening", "pocket_misreading")


def attempts(chance: random.Random, folder: Path) -> Iterator[Attempt]:
    """Experiments of the pack with damage to their text or their values."""
    texts = [(PRESETS / "experiments" / f"{name}.yaml").read_text(encoding="utf-8") for name in NAMES]
    path = folder / "mine.yaml"
    while True:
        text = chance.choice(texts)
        if chance.random() < 0.4:
            text = damaged_text(text, chance)
        else:
            text = yaml.safe_dump(damaged(yaml.safe_load(text), chance, chance.choice([0, 1, 1, 2, 4])))

        def act(text: str = text) -> Any:
            path.write_bytes(text.encode("utf-8", "surrogatepass"))
            experiment = plan.Experiment.load(str(path))
            return experiment, list(islice(plan.jobs(experiment, cases(experiment)), 500))

        yield Attempt(f"experiment: {text[:150]}", act, _wrong)


def _wrong(value: Any) -> str:
    experiment, jobs = value
    names = [job.name for job in jobs]
    if any(len(name.encode()) > 250 or "/" in name or not name.isprintable() for name in names):
        return "a job's name is no folder name"
    if len(set(names)) < len(names) and len(set(experiment.seeds)) == len(experiment.seeds):
        return "two jobs share a folder"
    texts = (experiment.about, experiment.source, experiment.measure, experiment.workflow)
    return "" if all(isinstance(text, str) for text in texts) and experiment.keep >= 0 else "it is no experiment"
