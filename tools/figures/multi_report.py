"""What `make figures-multi` counts: are all objects there, in their own colours, and at what cost?"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from hrv_engine.benchmarks.several_objects import load_multi
from hrv_engine.figures.sheets import sheet
from hrv_engine.tables import as_csv

from .report import save
from .subjects import SQUARES, Subject
from .workers import results

METHODS: dict[str, dict[str, Any]] = {
    "plain": {},
    "Structured Diffusion": {},
    "SynGen": {"steps": 20, "step_size": 20.0},
    "A&E": {"steps": 10, "step_size": 100.0, "sharpness": 3.0, "thresholds": ""},
    "A&E-HRV": {"steps": 10, "step_size": 20.0, "sharpness": 10.0, "thresholds": ""},
}
METHODS["A&E-HRV, effect"] = METHODS["A&E-HRV"]
MULTI: dict[str, Any] = {"images": {"squares": 8, "drawings": 4}, "seed": 5000, "methods": METHODS}
SHOWN = 6  # prompts on a contact sheet


def multi(executor: ProcessPoolExecutor, folder: Path, subject: Subject = SQUARES) -> dict[str, Any]:
    """Every method on every prompt; the same noise for each method; multi.csv and a contact sheet a set."""
    sets, images = load_multi(subject.benchmark("multi")), MULTI["images"][subject.model]
    keys, tasks = list[tuple[str, str]](), list[tuple]()
    for name, prompts in sets.items():
        for number, prompt in enumerate(prompts):
            for method, settings in METHODS.items():
                keys.append((name, method))
                tasks.append((prompt, method, settings, MULTI["seed"] + 100 * number, images, subject))
    drawn = results(executor, "multi", tasks, "several objects")
    rows = []
    for name, prompts in sets.items():
        mine = {
            method: [one for one, key in zip(drawn, keys, strict=True) if key == (name, method)] for method in METHODS
        }
        plain = sum(counts["seconds"] for counts, _ in mine["plain"])
        for method, found in mine.items():
            total = {what: sum(counts[what] for counts, _ in found) for what in found[0][0]}
            shares = {what: total[what] / total["images"] for what in ("present", "bound")}
            rows.append(
                {"set": name, "method": method, "images": total["images"], **shares, "time": total["seconds"] / plain}
            )
        texts = [prompt.text for prompt in prompts][:SHOWN]
        tiles = [mine[method][number][1] for number in range(len(texts)) for method in METHODS]
        save(sheet(np.stack(tiles), texts, list(METHODS)), folder / f"multi_{name.replace(' ', '_')}.png")
    (folder / "multi.csv").write_text(as_csv(rows), encoding="utf-8")
    return {"multi": rows}


def multi_lines(rows: list[dict[str, Any]]) -> list[str]:
    """The closing table: shares of images, and time by plain sampling."""
    lines = ["several objects: all present / each in its colour; time by plain"]
    for row in rows:
        lines.append(
            f"{row['set']:<21} {row['method']:<21} {row['present']:.0%} / {row['bound']:.0%}; {row['time']:.2f}"
            f" ({row['images']} images)"
        )
    return lines
