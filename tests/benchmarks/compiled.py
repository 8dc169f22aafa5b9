"""What steering costs on a compiled model: its steps run the model's Python, the others the compiled graph."""

from __future__ import annotations

import argparse
import json
import shutil
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import comfy.utils
import torch
from comfy_api.torch_helpers import set_torch_compile_wrapper
from comfy_extras.nodes_torch_compile import skip_torch_compile_dict

from comfyui_hrv.nodes.prompt import HRVPrompt
from comfyui_hrv.nodes.steering.adjust import HRVConceptAdjust
from comfyui_hrv.tests.nodes.tiny import tiny_trio
from comfyui_hrv.tests.nodes.vectors import random_vectors

OUTPUT = Path(__file__).parents[2] / "output" / "bench_compiled.json"


def seconds(sample: Callable[[], Any]) -> float:
    started = time.perf_counter()
    sample()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - started


def compiled_runs() -> dict[str, Callable[..., Any]]:
    """Name -> a run of so many steps on a tiny model, compiled and not, plain and steered; the first is compiled."""
    trio = tiny_trio()
    compiled = trio.model.clone()
    options = {"guard_filter_fn": skip_torch_compile_dict}
    set_torch_compile_wrapper(model=compiled, backend="inductor", options=options)
    positive, negative = HRVPrompt.execute(trio.clip, "a red car").args[0], trio.encode("")
    hrv = random_vectors(trio.model, "Color", "Plants")

    def run(model: Any, steered: bool) -> Callable[..., Any]:
        senses = ("red", "Color", "Plants", 2.0, 1.0, 1.0, 0, 4.0, 0.0, 1.0)
        marked = HRVConceptAdjust.execute(model, positive, hrv, *senses).args if steered else (model, positive)
        return lambda steps=1: trio.sample(marked[0], marked[1], negative, steps=steps, size=128)

    return {
        "compiled": run(compiled, False),
        "compiled, steered": run(compiled, True),
        "eager": run(trio.model, False),
        "eager, steered": run(trio.model, True),
    }


def main(arguments: list[str]) -> int:
    """Measure a tiny model in paired rounds, print the ratios, write output/bench_compiled.json."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench compiled", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="paired rounds (default %(default)s)")
    rounds = parser.parse_args(arguments).rounds
    if shutil.which("g++") is None:
        print("no C++ compiler: the cost on a compiled model was not measured")
        return 0
    comfy.utils.PROGRESS_BAR_ENABLED = False
    torch.set_num_threads(1)
    with torch.inference_mode():
        variants = compiled_runs()
        times: dict[str, list[float]] = {name: [] for name in variants}
        for number in range(rounds + 1):
            for name, sample in variants.items():
                spent = seconds(partial(sample, 8))
                if number:  # the first round compiles
                    times[name].append(spent)
    base = times["compiled"]
    rows: list[dict[str, Any]] = [
        {"name": name, "ratio": round(median(a / b for a, b in zip(spent, base, strict=True)), 3)}
        for name, spent in times.items()
    ]
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    print("time of a run on a tiny model, as a ratio to the compiled plain one")
    for row in rows:
        print(f"{row['name']:24}{row['ratio']:8.3f}")
    return 0
