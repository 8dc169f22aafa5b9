"""`make figures` and its parts: what the vectors show, as images, tables and figures.json in output/figures/."""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import Any

from ..pack import ROOT, load_pack

OUTPUT = ROOT / "output" / "figures"
DEFAULT = ("weakening", "votes", "multi")
PARTS = (*DEFAULT, "editing", "steering", "suggest")


def main() -> None:
    """Draw the parts asked for; progress goes to the terminal, the closing table to standard output."""
    parser = argparse.ArgumentParser(prog="python -m tools.figures", description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; default: {' '.join(DEFAULT)}")
    parts = parser.parse_args().parts or list(DEFAULT)
    if set(parts) - set(PARTS):
        parser.error(f"unknown part among {parts}; there are {', '.join(PARTS)}")
    load_pack()
    from . import editing_report, multi_report, report, suggest_report, workers

    draw = {"weakening": report.weakening, "votes": report.votes, "steering": report.steering}
    draw |= {"editing": editing_report.editing, "multi": multi_report.multi, "suggest": suggest_report.suggest}
    OUTPUT.mkdir(parents=True, exist_ok=True)
    path, started, drawn = OUTPUT / "figures.json", time.monotonic(), dict[str, Any]()
    with workers.pool() as executor:
        for part in parts:
            drawn |= draw[part](executor, OUTPUT)
    names = {
        "weakening": report.WEAKENING,
        "votes": report.BUILD | {"quick": report.QUICK},
        "steering": report.STEERING,
        "editing": editing_report.EDITING,
        "multi": multi_report.MULTI,
        "suggest": suggest_report.SUGGEST,
    }
    before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    settings = {**before.get("settings", {}), **{part: names[part] for part in parts}}
    minutes = {**before.get("minutes", {}), " ".join(parts): round((time.monotonic() - started) / 60, 1)}
    figures = {**before, **drawn, "settings": settings, "minutes": minutes}
    path.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    sys.stderr.write(f"wrote {OUTPUT.relative_to(ROOT)}\n")
    print(report.summary(drawn))
    if "editing" in drawn:
        print("\n".join(editing_report.editing_lines(drawn["editing"])))
    if "multi" in drawn:
        print("\n".join(multi_report.multi_lines(drawn["multi"])))
    if "suggest" in drawn:
        print("\n".join(suggest_report.suggest_lines(drawn["suggest"])))


if __name__ == "__main__":
    main()
