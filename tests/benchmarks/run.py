"""`make bench`: what steering and voting cost on a full-size SD1.5, as ratios to a plain step."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import comfy.utils
import torch

from .full_size import sd15, steps, sweeps
from .measure import paired, peak_bytes

FULL_SIZE = 320  # channels of SD1.5's first level
BARS = {"steering": 1.02, "voting": 1.05, "weakening sweep": 1 / 0.95}  # a sweep: pictures a second
OUTPUT = Path(__file__).parents[2] / "output" / "bench.json"


def main(arguments: list[str]) -> int:
    """Measure, print a table, write output/bench.json; 1 if a bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=__doc__)
    parser.add_argument(
        "--rounds", type=int, default=12, help="paired rounds, a third for the controls (default %(default)s)"
    )
    parser.add_argument("--latent", type=int, default=0, help="latent side; default 32, and 64 on a GPU")
    parser.add_argument("--channels", type=int, default=FULL_SIZE, help="UNet width; another writes no file")
    options = parser.parse_args(arguments)
    gpu = torch.cuda.is_available()
    side = options.latent or (64 if gpu else 32)
    comfy.utils.PROGRESS_BAR_ENABLED = False
    torch.set_num_threads(1)  # user CPU time is then the work done, not threads waiting for each other
    with torch.inference_mode():
        trio = sd15(model_channels=options.channels)
        variants, many = steps(*trio, side), sweeps(*trio, side)
        controls = {name: step for name, step in variants.items() if name not in BARS}
        barred = {name: step for name, step in variants.items() if name in ("plain", *BARS)}
        ratios = paired(controls, max(2, options.rounds // 3)) | paired(barred, max(2, options.rounds))
        ratios |= {"weakening sweep": paired(many, max(2, options.rounds // 2))["weakening sweep"]}
        peaks = {name: peak_bytes(step) for name, step in variants.items()}
        batch = peak_bytes(many["plain"])
        peaks["weakening sweep"] = peak_bytes(many["weakening sweep"])
    rows = [
        {
            "name": f"{name} / plain{' batch' if name in many else ''} step",
            "ratio": round(ratio.median, 4),
            "low": round(ratio.low, 4),
            "high": round(ratio.high, 4),
            "peak_memory_ratio": round(peaks[name] / (batch if name in many else peaks["plain"]), 4),
            "bar": BARS.get(name),
            "ok": name not in BARS or ratio.median <= BARS[name],
            "best_ratio": round(ratio.best, 4),
            "wall_ratio": round(ratio.wall, 4),
            "peak_memory_mb": round(peaks[name] / 1e6, 1),
        }
        | ({"milliseconds": round(ratio.seconds * 1e3, 2)} if gpu else {})
        for name, ratio in ((name, ratios[name]) for name in (*variants, "weakening sweep") if name != "plain")
    ]
    if options.channels == FULL_SIZE:
        OUTPUT.parent.mkdir(exist_ok=True)
        OUTPUT.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    where = torch.cuda.get_device_name() if gpu else f"1 CPU thread, load {os.getloadavg()[0]:.1f}"
    print(
        f"SD1.5 of {options.channels} channels, latent {side}x{side}, cond + uncond, {options.rounds} rounds, {where}"
    )
    print(_table(rows, peaks["plain"]))
    if gpu:
        print(f"plain step: {ratios['plain'].seconds * 1e3:.2f} ms")
    return 0 if all(row["ok"] for row in rows) else 1


def _table(rows: list[dict], plain: int) -> str:
    lines = [f"{'':36}{'time':>8}{'quartiles':>18}{'best':>8}{'clock':>8}{'peak memory':>19}   bar"]
    for row in rows:
        middle, memory = f"{row['low']:.3f} - {row['high']:.3f}", f"{row['peak_memory_ratio']:.3f}"
        bar = "" if row["bar"] is None else f"{row['bar']:.2f} {'ok' if row['ok'] else 'MISSED'}"
        lines.append(
            f"{row['name']:36}{row['ratio']:8.3f}{middle:>18}{row['best_ratio']:8.3f}{row['wall_ratio']:8.3f}"
            f"{memory:>8} = {row['peak_memory_mb']:5.0f} MB  {bar}"
        )
    return "\n".join([*lines, f"peak memory of a plain step beyond the weights: {plain / 1e6:.0f} MB"])
