"""What `make figures-editing` counts: success against what is kept, and how the two trade off."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from hrv_engine.benchmarks.editing import load_editing, spread
from hrv_engine.figures.plots import QUIET, new_plot, pixels
from hrv_engine.figures.sheets import sheet
from hrv_engine.tables import as_csv

from .report import save
from .subjects import SQUARES, Subject
from .workers import results

METHODS = ("none", "SDEdit", "P2P", "PnP", "MasaCtrl", "FPE", "P2P-HRV", "P2P-HRV, clamp 4", "P2P-HRV, effect")
EDITING: dict[str, Any] = {
    "pairs": {"squares": 4, "drawings": 8},
    "images": {"squares": 6, "drawings": 8},
    "seed": 4000,
    "trade_off": {"targets": ["Color", "Material"], "self_replace": [0.0, 0.4, 0.9, 1.0], "pairs": 3},
}
COLOURS = {"P2P": "#0072b2", "P2P-HRV": "#d55e00"}  # Okabe and Ito


def editing(executor: ProcessPoolExecutor, folder: Path, subject: Subject = SQUARES) -> dict[str, Any]:
    """Every method on every editing target, the trade-off of self_replace, contact sheets."""
    pairs = load_editing(subject.benchmark("editing"))
    images, seed, trade = EDITING["images"][subject.model], EDITING["seed"], EDITING["trade_off"]
    keys, tasks = list[tuple](), list[tuple]()
    for concept, all_pairs in pairs.items():
        for number, pair in enumerate(spread(all_pairs, EDITING["pairs"][subject.model])):
            keys += [(concept, method, None) for method in METHODS]
            tasks += [(pair, method, None, seed + 100 * number, images, subject) for method in METHODS]
    for concept in trade["targets"]:
        for number, pair in enumerate(spread(pairs[concept], trade["pairs"])):
            for value in trade["self_replace"]:
                keys += [(concept, method, value) for method in COLOURS]
                tasks += [(pair, method, value, seed + 100 * number, images, subject) for method in COLOURS]
    drawn = results(executor, "editing", tasks, "editing")
    rows = [_row(key, [counts for (counts, _), owner in zip(drawn, keys, strict=True) if owner == key])
            for key in dict.fromkeys(keys)]  # fmt: skip
    (folder / "editing.csv").write_text(as_csv(rows), encoding="utf-8")
    for concept in pairs:
        shown = {method: [two for (_, two), owner in zip(drawn, keys, strict=True) if owner == (concept, method, None)]
                 for method in METHODS}  # fmt: skip
        save(_sheet(shown), folder / f"editing_{concept.lower().replace(' ', '_')}.png")
    save(_trade_off([row for row in rows if row["self_replace"] is not None]), folder / "editing_trade_off.png")
    return {"editing": rows}


def _row(key: tuple, counts: list[dict[str, Any]]) -> dict[str, Any]:
    total = sum(one["pairs"] for one in counts)
    shares = {what: sum(one[what] for one in counts) / total for what in ("edited", "kept", "both")}
    background = float(np.mean([one["background"] for one in counts]))
    named = dict(zip(("target", "method", "self_replace"), key, strict=True))
    return {**named, "pairs": total, **shares, "background": background}


def _sheet(shown: dict[str, list[np.ndarray]]) -> np.ndarray:
    """Sources above, the targets of each method below, one column per prompt pair."""
    first = next(iter(shown.values()))
    tiles = [two[0] for two in first]
    for twos in shown.values():
        tiles += [two[1] for two in twos]
    return sheet(np.stack(tiles), ["source", *shown], [f"pair {number + 1}" for number in range(len(first))])


def _trade_off(rows: list[dict[str, Any]]) -> np.ndarray:
    """Edited against kept as self_replace grows, a line per method, a panel per target."""
    targets = list(dict.fromkeys(row["target"] for row in rows))
    figure, axes = new_plot(len(targets), 1, width=12.0, height=5.0)
    for axis, target in zip(np.atleast_1d(axes).flat, targets, strict=True):
        for method, colour in COLOURS.items():
            line = [row for row in rows if row["target"] == target and row["method"] == method]
            axis.plot([row["kept"] for row in line], [row["edited"] for row in line], "o-", color=colour, label=method)
            for row in line:
                at = (row["kept"], row["edited"])
                axis.annotate(f"{row['self_replace']:g}", at, xytext=(4, 4), textcoords="offset points", color=colour)
        axis.set_title(f"{target}: numbers are self_replace", fontsize=13, loc="left")
        axis.set_xlim(-0.03, 1.05)
        axis.set_ylim(-0.03, 1.05)
        axis.legend(loc="lower left", fontsize=11)
    figure.supxlabel("kept: what the prompts leave open is as in the source", fontsize=12, color=QUIET)
    figure.supylabel("edited: the new word is read", fontsize=12)
    return pixels(figure)


def editing_lines(rows: list[dict[str, Any]]) -> list[str]:
    """The closing table: share edited and kept, both at once, and the background's difference."""
    lines = ["editing: edited / kept / both (background difference); as published"]
    for row in rows:
        if row["self_replace"] is None:
            shares = " / ".join(f"{row[what]:.0%}" for what in ("edited", "kept", "both"))
            lines.append(f"{row['target']:<18} {row['method']:<17} {shares} ({row['background']:.3f})")
    return lines
