"""`make bench`, its second part: memory and time of a step altered by Attend-and-Excite, beside the usual way.

On a full-size SD1.5 at 512x512 and on a small SDXL. WANTED is what was aimed at. Where it was never reached, a limit is
a little above what was, on a busy machine too: the table says MISSED, but only a figure beyond its limit fails the
command, so that a later change which makes steps dearer is noticed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import comfy.utils
import torch

from .full_size import sd15
from .guided import ALTERED, DIFFUSERS, PLAIN, USUAL, diffusers_step, guided_steps
from .measure import interleaved, peak_bytes, ratios
from .small_sdxl import CHANNELS, FULL_CHANNELS, FULL_SIDE, SIDE, full_sdxl_numbers, small_sdxl

WANTED = {"memory": 0.5, "time": 0.75}  # of an altered step, by the usual way's
OUTPUT = Path(__file__).parents[2] / "output" / "bench_guidance.json"
Row = dict[str, Any]


@dataclass(frozen=True)
class Subject:
    """A model to measure: `make() -> (MODEL, CLIP)`, a latent of that side, and the limits of its figures.

    growth: what an activation of the real model holds, by one of this; numbers: in the real UNet's weights.
    """

    title: str
    make: Callable[[], tuple[Any, Any]]
    side: int
    limits: dict[str, float]
    growth: float
    numbers: Callable[[Any], int]
    pipeline: bool


def _own_numbers(model: Any) -> int:
    return sum(parameter.numel() for parameter in model.model.diffusion_model.parameters())


SUBJECTS = {
    "sd15": Subject("SD1.5 in full size", sd15, 64, {"memory": 0.5, "time": 0.9}, 1.0, _own_numbers, True),
    "sdxl": Subject(
        f"SDXL of {CHANNELS} channels instead of {FULL_CHANNELS}",
        small_sdxl,
        SIDE,
        {"memory": 0.5, "time": 1.1},
        FULL_CHANNELS / CHANNELS * (FULL_SIDE / SIDE) ** 2,
        lambda model: full_sdxl_numbers(),
        False,  # diffusers' pipeline is for SD1.x only
    ),
}


def main(arguments: list[str]) -> int:
    """Measure, print tables, write output/bench_guidance.json; 1 if a figure is beyond its limit."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench guidance", description=__doc__)
    parser.add_argument(
        "--rounds", type=int, default=3, help="paired rounds, one for rows without a bar (default %(default)s)"
    )
    parser.add_argument("models", nargs="*", help=f"of {', '.join(SUBJECTS)}; default all, and only then a file")
    options = parser.parse_args(arguments)
    if set(options.models) - set(SUBJECTS):
        parser.error(f"unknown model among {options.models}; there are {', '.join(SUBJECTS)}")
    comfy.utils.PROGRESS_BAR_ENABLED = False
    torch.set_num_threads(1)
    found, within = dict[str, Any](), list[bool]()
    for name in options.models or SUBJECTS:
        subject = SUBJECTS[name]
        rows = _measured(subject, max(1, options.rounds))
        altered = next(row for row in rows if row["name"] == ALTERED)
        figures = {what: altered[f"{what}_by_usual"] for what in WANTED}
        found[name] = {"latent": subject.side, "rows": rows, "wanted": WANTED, "limits": subject.limits}
        found[name]["met"] = {what: figures[what] <= WANTED[what] for what in WANTED}
        within += [figures[what] <= subject.limits[what] for what in WANTED]
        print(
            f"{subject.title}, latent {subject.side}x{subject.side}, one altered step of cond and uncond,"
            f" {options.rounds} rounds, load {os.getloadavg()[0]:.1f}"
        )
        print(_table(rows))
        print("\n".join(_verdict(what, figures[what], subject.limits[what]) for what in WANTED), flush=True)
    if not options.models:
        OUTPUT.parent.mkdir(exist_ok=True)
        OUTPUT.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return 0 if all(within) else 1


@torch.inference_mode()
def _measured(subject: Subject, rounds: int) -> list[Row]:
    """A row for every way to take the step: memory of one run, times of later ones."""
    model, clip = subject.make()
    steps = guided_steps(model, clip, subject.side)
    if subject.pipeline:
        steps[DIFFUSERS] = diffusers_step(model, clip, subject.side)
    steps[PLAIN]()  # loads
    peaks = dict[str, int]()
    for name, step in steps.items():
        peaks[name] = peak_bytes(step)
        print(f"{name}: peak {peaks[name] / 1e6:.0f} MB", file=sys.stderr, flush=True)  # the times take as long again
    barred = {name: steps[name] for name in (PLAIN, ALTERED, USUAL)}
    others = {name: step for name, step in steps.items() if name in (PLAIN, USUAL) or name not in barred}
    times = dict.fromkeys(others, interleaved(others, 1)) | dict.fromkeys(barred, interleaved(barred, rounds))
    weights = 2 * subject.numbers(model)

    def row(name: str) -> Row:
        def ratio(seconds: dict[str, list[float]], against: str) -> float:
            return round(statistics.median(ratios(seconds, name, against)), 3)

        return {
            "name": name,
            "time_by_plain": ratio(times[name].counted, PLAIN),
            "time_by_usual": ratio(times[name].counted, USUAL),
            "cpu_by_usual": ratio(times[name].cpu, USUAL),
            "memory_mb": round(peaks[name] / 1e6),
            "memory_by_usual": round(peaks[name] / peaks[USUAL], 3),
            "real_half_precision_mb": round((peaks[name] * subject.growth / 2 + weights) / 1e6),
        }

    return [row(name) for name in steps]


def _table(rows: list[Row]) -> str:
    lines = [
        f"{'':34}{'time / plain':>14}{'/ usual':>9}{'with system':>13}{'peak memory':>14}{'/ usual':>9}"
        f"{'real model, 2 bytes':>21}"
    ]
    for row in rows:
        lines.append(
            f"{row['name']:34}{row['time_by_plain']:14.2f}{row['time_by_usual']:9.2f}{row['cpu_by_usual']:13.2f}"
            f"{row['memory_mb']:11} MB{row['memory_by_usual']:9.2f}{row['real_half_precision_mb']:18} MB"
        )
    return "\n".join(
        [
            *lines,
            "time: user CPU time, median of paired rounds; with system: by the usual way's, the time in which the"
            " system hands out memory counted too",
            "real model: counted at two bytes a number for the model's full width and size, weights included",
        ]
    )


def _verdict(what: str, figure: float, limit: float) -> str:
    bar = WANTED[what]
    said = "ok" if figure <= bar else "MISSED" if figure <= limit else f"MISSED, and beyond its limit {limit}"
    return f"{what} of an altered step / the usual way: {figure:.2f}, wanted {bar}: {said}"
