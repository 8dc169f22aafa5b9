"""`make bench`: what the nodes cost on a full-size SD1.5, as ratios to plain sampling of the same rows."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import comfy.utils
import torch

from .edits import edits
from .full_size import sd15, steps, sweeps
from .measure import Step, paired, peak_bytes

FULL_SIZE = 320  # channels of SD1.5's first level
BARS = {  # name: (largest ratio of time, largest ratio of peak memory)
    "steering": (1.02, None),
    "voting": (1.05, None),
    "weakening sweep": (1 / 0.95, None),  # a sweep: images a second
    "P2P-HRV": (1.15, 1.1),
}
GROUPS = {"plain step": steps, "plain batch": sweeps, "plain pair": edits}
OUTPUT = Path(__file__).parents[2] / "output" / "bench.json"


def groups(model: Any, clip: Any, side: int, names: Iterable[str] = GROUPS) -> dict[str, dict[str, Step]]:
    """What the variants of a group are compared with -> the plain step and its variants, by name."""
    return {name: GROUPS[name](model, clip, side) for name in names}


def main(arguments: list[str]) -> int:
    """Measure, print a table, write output/bench.json; 1 if a bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=__doc__)
    parser.add_argument(
        "--rounds", type=int, default=12, help="paired rounds, a third for those without a bar (default %(default)s)"
    )
    parser.add_argument("--latent", type=int, default=0, help="latent side; default 32, and 64 on a GPU")
    parser.add_argument("--channels", type=int, default=FULL_SIZE, help="UNet width; another writes no file")
    parser.add_argument(
        "--only", choices=GROUPS, help="one group, by what it is compared with; nothing is written to a file"
    )
    options = parser.parse_args(arguments)
    gpu = torch.cuda.is_available()
    side = options.latent or (64 if gpu else 32)
    comfy.utils.PROGRESS_BAR_ENABLED = False
    torch.set_num_threads(1)  # user CPU time is then the work done, not threads waiting for each other
    rows: list[dict[str, Any]] = []
    with torch.inference_mode():
        chosen = [options.only] if options.only else list(GROUPS)
        for against, variants in groups(*sd15(model_channels=options.channels), side, chosen).items():
            rows += _measured(against, variants, options.rounds, gpu)
    if options.channels == FULL_SIZE and not options.only:
        OUTPUT.parent.mkdir(exist_ok=True)
        OUTPUT.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    where = torch.cuda.get_device_name() if gpu else f"1 CPU thread, load {os.getloadavg()[0]:.1f}"
    print(
        f"SD1.5 of {options.channels} channels, latent {side}x{side}, cond + uncond, {options.rounds} rounds, {where}"
    )
    print(_table(rows))
    return 0 if all(row["ok"] for row in rows) else 1


def _measured(against: str, variants: dict[str, Step], rounds: int, gpu: bool) -> list[dict[str, Any]]:
    """A row for every variant of a group but the first, the plain one."""
    plain = next(iter(variants))
    barred = {name: step for name, step in variants.items() if name == plain or name in BARS}
    ratios = paired(barred, max(2, rounds))
    if len(barred) < len(variants):
        others = {name: step for name, step in variants.items() if name == plain or name not in BARS}
        ratios = paired(others, max(2, rounds // 3)) | ratios
    peaks = {name: peak_bytes(step) for name, step in variants.items()}
    rows = []
    for name, ratio in ((name, ratios[name]) for name in variants if name != plain):
        time, memory = BARS.get(name, (None, None))
        held = peaks[name] / peaks[plain]
        row = {
            "name": f"{name} / {against}",
            "ratio": round(ratio.median, 4),
            "low": round(ratio.low, 4),
            "high": round(ratio.high, 4),
            "peak_memory_ratio": round(held, 4),
            "bar": time,
            "memory_bar": memory,
            "ok": (time is None or ratio.median <= time) and (memory is None or held <= memory),
            "best_ratio": round(ratio.best, 4),
            "wall_ratio": round(ratio.wall, 4),
            "peak_memory_mb": round(peaks[name] / 1e6, 1),
        }
        rows.append(row | ({"milliseconds": round(ratio.seconds * 1e3, 2)} if gpu else {}))
    return rows


def _table(rows: list[dict]) -> str:
    lines = [f"{'':36}{'time':>8}{'quartiles':>18}{'best':>8}{'clock':>8}{'peak memory':>19}   bar"]
    for row in rows:
        middle, memory = f"{row['low']:.3f} - {row['high']:.3f}", f"{row['peak_memory_ratio']:.3f}"
        bars = [f"{bar:.2f}" for bar in (row["bar"], row["memory_bar"]) if bar is not None]
        bar = f"{', memory '.join(bars)} {'ok' if row['ok'] else 'MISSED'}" if bars else ""
        lines.append(
            f"{row['name']:36}{row['ratio']:8.3f}{middle:>18}{row['best_ratio']:8.3f}{row['wall_ratio']:8.3f}"
            f"{memory:>8} = {row['peak_memory_mb']:5.0f} MB  {bar}"
        )
    return "\n".join([*lines, "peak memory: beyond the weights"])
