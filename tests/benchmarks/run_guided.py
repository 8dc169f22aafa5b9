"""`make bench`, its second part: memory and time of a step altered by Attend-and-Excite, at 512x512 on SD1.5."""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
from pathlib import Path
from typing import Any

import comfy.utils
import torch

from .full_size import sd15
from .guided import ALTERED, DIFFUSERS, PLAIN, USUAL, diffusers_step, guided_steps
from .measure import Step, peak_bytes
from .run import FULL_SIZE

BARS = {"memory": 0.5, "time": 0.75}  # of the step written the usual way
OUTPUT = Path(__file__).parents[2] / "output" / "bench_guidance.json"


def main(arguments: list[str]) -> int:
    """Measure, print a table, write output/bench_guidance.json; 1 if a bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench guidance", description=__doc__)
    parser.add_argument("--rounds", type=int, default=2, help="runs of each step (default %(default)s)")
    parser.add_argument("--latent", type=int, default=64, help="latent side (default %(default)s: 512 pixels)")
    parser.add_argument("--channels", type=int, default=FULL_SIZE, help="UNet width; another writes no file")
    options = parser.parse_args(arguments)
    comfy.utils.PROGRESS_BAR_ENABLED = False
    torch.set_num_threads(1)
    with torch.inference_mode():
        model, clip = sd15(model_channels=options.channels)
        steps = guided_steps(model, clip, options.latent)
        steps[DIFFUSERS] = diffusers_step(model, clip, options.latent)
        steps[PLAIN]()  # loads
        rounds = [{name: _measured(step) for name, step in steps.items()} for _ in range(max(1, options.rounds))]
    weights = sum(parameter.numel() for parameter in model.model.diffusion_model.parameters())
    seconds = {name: statistics.median(one[name][0] for one in rounds) for name in steps}
    peaks = {name: statistics.median(one[name][1] for one in rounds) for name in steps}
    rows: list[dict[str, Any]] = [
        {
            "name": name,
            "time_by_plain": round(seconds[name] / seconds[PLAIN], 3),
            "time_by_usual": round(seconds[name] / seconds[USUAL], 3),
            "memory_mb": round(peaks[name] / 1e6),
            "memory_by_usual": round(peaks[name] / peaks[USUAL], 3),
            "half_precision_mb": round((peaks[name] / 2 + weights * 2) / 1e6),
        }
        for name in steps
    ]
    row = next(row for row in rows if row["name"] == ALTERED)
    met = {"memory": row["memory_by_usual"] <= BARS["memory"], "time": row["time_by_usual"] <= BARS["time"]}
    if options.channels == FULL_SIZE:
        OUTPUT.parent.mkdir(exist_ok=True)
        OUTPUT.write_text(json.dumps({"rows": rows, "bars": BARS, "met": met}, indent=2) + "\n", encoding="utf-8")
    print(
        f"SD1.5 of {options.channels} channels, latent {options.latent}x{options.latent}, one altered step of cond and"
        f" uncond, {options.rounds} rounds, load {os.getloadavg()[0]:.1f}"
    )
    print(_table(rows))
    for what, bar in BARS.items():
        print(f"{what} of an altered step / the usual way, bar {bar}: {'ok' if met[what] else 'MISSED'}")
    return 0 if all(met.values()) else 1


def _measured(step: Step) -> tuple[float, int]:
    """(CPU seconds, peak bytes beyond what lived before) of one run; on a busy machine its clock would say little."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    peak = peak_bytes(step)
    return resource.getrusage(resource.RUSAGE_SELF).ru_utime - before, peak


def _table(rows: list[dict[str, Any]]) -> str:
    lines = [
        f"{'':34}{'time / ' + PLAIN:>14}{'/ usual':>9}{'peak memory':>14}{'/ usual':>9}{'2 bytes, weights too':>20}"
    ]
    for row in rows:
        lines.append(
            f"{row['name']:34}{row['time_by_plain']:14.2f}{row['time_by_usual']:9.2f}{row['memory_mb']:11} MB"
            f"{row['memory_by_usual']:9.2f}{row['half_precision_mb']:17} MB"
        )
    return "\n".join(lines)
