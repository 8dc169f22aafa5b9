"""`make figures`: what the pocket model's vectors show, as pictures, tables and figures.json in output/figures/."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OUTPUT = ROOT / "output" / "figures"


def main() -> None:
    """Draw everything; progress goes to the terminal, the closing table to standard output."""
    from tools.pack import load_pack

    load_pack()
    from . import report, workers

    OUTPUT.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    with workers.pool() as executor:
        figures = {**report.weakening(executor, OUTPUT), **report.votes(executor, OUTPUT)}
    figures["settings"] = {"build": report.BUILD, "quick": report.QUICK, "weakening": report.WEAKENING}
    figures["minutes"] = round((time.monotonic() - started) / 60, 1)
    (OUTPUT / "figures.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    sys.stderr.write(f"wrote {OUTPUT.relative_to(ROOT)}\n")
    print(report.summary(figures))


if __name__ == "__main__":
    main()
