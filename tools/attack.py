"""Thousands of damaged files, texts and answers: python -m tools.attack [KIND ...] [--tries N] [--seed N]

Each kind (tools/attacks) runs in a process of its own. The bars: no traceback, no hang over 5 seconds, nothing wrong
accepted, less than 1 GB of memory.
"""

from __future__ import annotations

import argparse
import importlib
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .pack import ROOT, load_pack, use_comfyui

MOST_MEMORY = 1 << 30  # bytes
ADDRESSES = 8 << 30  # bytes of a process, PyTorch's own included
SILENCE = 900.0  # seconds after which a kind's process has hung where no signal reaches it
COLUMNS = ("tries", "accepted", "refused", "tracebacks", "hangs", "wrong", "slowest s", "memory MB")


def main() -> int:
    load_pack()
    from comfyui_hrv.tools.attacks import KINDS

    parser = argparse.ArgumentParser(prog="python -m tools.attack", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"some of {', '.join(KINDS)}; all of them if left out")
    parser.add_argument("--tries", type=int, help="attempts of each kind, instead of thousands")
    parser.add_argument("--seed", type=int, default=0, help="other attempts")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    unknown = sorted(set(options.kinds) - KINDS.keys())
    if unknown:
        parser.error(f'there is no kind "{unknown[0]}"; there are {", ".join(KINDS)}')
    if options.here:
        (kind,) = options.kinds
        resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))  # whatever is found does not end the machine
        json.dump(attacked(kind, options.tries or KINDS[kind].count, options.seed), sys.stdout)
        return 0
    begun, results = time.monotonic(), {}
    _print("kind", *COLUMNS)
    for kind in options.kinds or KINDS:
        results[kind] = _in_a_process(kind, options.tries or KINDS[kind].count, options.seed)
        _print(kind, *(results[kind][column] for column in COLUMNS))
    totals = [sum(result[column] for result in results.values()) for column in COLUMNS[:6]]
    _print("all", *totals, *(max(result[column] for result in results.values()) for column in COLUMNS[6:]))
    for kind, result in results.items():
        sys.stdout.writelines(f"{kind}: {example}\n" for example in result["examples"])
    sys.stdout.write(f"{time.monotonic() - begun:.0f} seconds, seed {options.seed}\n")
    return int(any(_failed(result) for result in results.values()))


def attacked(kind: str, tries: int, seed: int) -> dict[str, Any]:
    """What comes of one kind in this process, as a row of the table with examples of faults."""
    from comfyui_hrv.tools.attacks import KINDS, attempt

    if KINDS[kind].host:
        use_comfyui("--cpu")
    module = importlib.import_module(f"comfyui_hrv.tools.attacks.{kind}")
    with tempfile.TemporaryDirectory() as folder:
        outcome = attempt.run(module.attempts(random.Random(f"{kind} {seed}"), Path(folder)), tries)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 if sys.platform == "darwin" else 1024)
    return {**asdict(outcome), "slowest s": round(outcome.slowest, 2), "memory MB": round(memory)}


def _in_a_process(kind: str, tries: int, seed: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "tools.attack", kind, "--here", "--tries", str(tries), "--seed", str(seed)]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=SILENCE)
        return json.loads(done.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired:
        return _ended("hangs", f"the process of the kind did not end within {SILENCE:g} seconds")
    except (ValueError, IndexError):
        return _ended("tracebacks", f"the process of the kind ended with {done.returncode}: {done.stderr[-1000:]}")


def _ended(fault: str, said: str) -> dict[str, Any]:
    return {**dict.fromkeys(COLUMNS, 0), fault: 1, "examples": [said]}


def _failed(result: dict[str, Any]) -> bool:
    return (
        bool(result["tracebacks"] or result["hangs"] or result["wrong"]) or result["memory MB"] * 2**20 >= MOST_MEMORY
    )


def _print(*cells: Any) -> None:
    sys.stdout.write("".join(f"{cell!s:<12}" for cell in cells).rstrip() + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
