"""`make figures` and its parts: what the vectors show, as images, tables and figures.json in output/figures/."""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..pack import ROOT, load_pack

OUTPUT = ROOT / "output" / "figures"
DEFAULT = ("weakening", "votes", "multi")
PARTS = (*DEFAULT, "editing", "steering", "suggest")
OF_ANY = ("editing", "multi", "suggest")  # parts that can be drawn of the other models too


def main() -> None:
    """Draw the parts asked for; progress goes to the terminal, the closing table to standard output."""
    parser = argparse.ArgumentParser(prog="python -m tools.figures", description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; default: {' '.join(DEFAULT)}")
    parser.add_argument(
        "--model", choices=["squares", "drawings"], default="squares", help=f"drawings: of {', '.join(OF_ANY)} only"
    )
    parser.add_argument("--weights", default="", help="a file of that model's weights, instead of those that ship")
    parser.add_argument(
        "--vectors",
        default="",
        help="vectors by votes of those weights; by effect: beside it, with _effect in its name",
    )
    options = parser.parse_args()
    parts = options.parts or list(DEFAULT if options.model == "squares" else OF_ANY)
    legal = PARTS if options.model == "squares" else OF_ANY
    if set(parts) - set(legal):
        parser.error(f"unknown part among {parts}; of the {options.model} there are {', '.join(legal)}")
    if missing := [name for name in (options.weights, options.vectors) if name and not Path(name).is_file()]:
        parser.error(f"no file {' and no '.join(missing)}")
    load_pack()
    from . import editing_report, multi_report, report, suggest_report, workers
    from .subjects import SUBJECTS

    files = {name: name and str(Path(name).resolve()) for name in (options.weights, options.vectors)}
    subject = replace(SUBJECTS[options.model], weights=files[options.weights], votes=files[options.vectors])
    output = subject.folder(OUTPUT)
    draw: dict[str, Any] = {"weakening": report.weakening, "votes": report.votes, "steering": report.steering}
    draw |= {"editing": editing_report.editing, "multi": multi_report.multi, "suggest": suggest_report.suggest}
    output.mkdir(parents=True, exist_ok=True)
    path, started, drawn = output / "figures.json", time.monotonic(), dict[str, Any]()
    with workers.pool() as executor:
        for part in parts:
            drawn |= draw[part](executor, output, *([subject] if part in OF_ANY else []))
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
    sys.stderr.write(f"wrote {output.relative_to(ROOT)}\n")
    print(report.summary(drawn))
    if "editing" in drawn:
        print("\n".join(editing_report.editing_lines(drawn["editing"])))
    if "multi" in drawn:
        print("\n".join(multi_report.multi_lines(drawn["multi"])))
    if "suggest" in drawn:
        print("\n".join(suggest_report.suggest_lines(drawn["suggest"])))


if __name__ == "__main__":
    main()
