"""The tables of `make figures-dit` as text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..effect.lines import agreement_lines, areas_lines
from ..effect.worlds import EVERYTHING


def lines(done: dict[str, Any]) -> Iterator[str]:
    """Everything that was measured, as Markdown."""
    rates = ", ".join(f"{concept} {rate:.0%}" for concept, rate in done["plain"].items())
    built = ", ".join(f"{count} {what}" for what, count in done["build"].items())
    yield f"Plain images show the asked word: {rates}."
    yield f"Built from {built}."
    yield f"\n### Weakened in order, {EVERYTHING}\n"
    yield from areas_lines(done["weakening"])
    yield "\n| | " + " | ".join(done["weakening"]) + " |"
    yield "|---" * (len(done["weakening"]) + 1) + "|"
    rows = [one["area"]["attention on the word"] for one in done["weakening"].values()]
    yield "| attention on the word | " + " | ".join(f"{area:.2f}" for area in rows) + " |"
    yield from _left(done["weakening"])
    yield from agreement_lines(done["agreement"])
    found = done["reasons"]
    yield "\n### Part of the word's effect that is gone without a route\n"
    yield from _table(found, lambda one: {name: f"{value:.2f}" for name, value in one["routes"].items()})
    yield "\n### Part in the double blocks\n"
    yield from _table(found, lambda one: {name: f"{value:.2f}" for name, value in one["in double blocks"].items()})
    yield "\n### Rank correlation with the effect (among the heads of double blocks)\n"
    yield from _table(
        found,
        lambda one: {name: f"{every:.2f} ({double:.2f})" for name, (every, double) in one["correlations"].items()},
    )
    yield "\n### Part of the word's effect that is gone when an order's first heads are weakened\n"
    yield from _table(found, lambda one: {name: f"{value:.2f}" for name, value in one["gone"].items()})


def _left(weakening: dict[str, Any]) -> Iterator[str]:
    """What is left of each concept at every number of heads."""
    for concept, one in weakening.items():
        curves = {order: {int(k): score for k, score in curve.items()} for order, curve in one["curve"].items()}
        counts = sorted(curves["votes"])
        yield f"\n{concept}: probability of the word with so many heads weakened\n"
        yield "| | " + " | ".join(str(count) for count in counts) + " |"
        yield "|---" * (len(counts) + 1) + "|"
        for order, curve in curves.items():
            yield f"| {order} | " + " | ".join(f"{curve[count]:.2f}" for count in counts) + " |"


def _table(found: dict[str, Any], cells: Any) -> Iterator[str]:
    rows = {concept: cells(one) for concept, one in found.items()}
    names = list(next(iter(rows.values())))
    yield "| | " + " | ".join(rows) + " |"
    yield "|---" * (len(rows) + 1) + "|"
    for name in names:
        yield f"| {name} | " + " | ".join(row[name] for row in rows.values()) + " |"
