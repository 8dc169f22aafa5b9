"""What `python -m tools.figures suggest` counts: senses named by HRV Suggest, and images steered by its proposals."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import yaml

from hrv_engine.paths import PRESETS
from hrv_engine.tables import as_csv

from .report import STEERING
from .subjects import SQUARES, Subject
from .workers import results

BENCHMARK, CHOOSING, FOREIGN = "polysemous", "polysemous_heldout", PRESETS / "benchmarks" / "polysemous_sd.yaml"
SUGGEST: dict[str, Any] = {
    "images": {"squares": 8, "drawings": 4},
    "seed": STEERING["seed"],
    "strength": 1.0,
    "vectors": {"squares": ("votes", 4.0), "drawings": ("effect", 0.0)},  # and the clamp chosen for them
}


def suggest(executor: ProcessPoolExecutor, folder: Path, subject: Subject = SQUARES) -> dict[str, Any]:
    """Rankings, then images of the benchmark's prompts: plain, with its own pairs and with the proposed ones."""
    prompts = {name: _prompts(subject.benchmark(name)) for name in (CHOOSING, BENCHMARK)}
    words = [one["word"] for one in _prompts(FOREIGN)]
    (found,) = results(executor, "suggest", [(prompts, words, subject)], "senses")
    images, (kind, clamp) = SUGGEST["images"][subject.model], SUGGEST["vectors"][subject.model]
    drawn: dict[tuple, tuple] = {}  # (prompt, pair) -> task; the same pair is drawn once
    used: dict[str, list[tuple]] = {key: [] for key in ("plain", "asked", "told", "free")}
    for number, (asked, proposed) in enumerate(zip(prompts[BENCHMARK], found["prompts"][BENCHMARK], strict=True)):
        for key, places in used.items():
            pair = dict(zip(("desired", "undesired"), proposed.get(key, ()), strict=False))  # none for plain
            places.append((number, *pair.values()))
            settings = ("adjusted" if pair else "plain", SUGGEST["strength"], clamp)
            drawn[places[-1]] = ({**asked, **pair}, *settings, SUGGEST["seed"] + number, images, subject, kind)
    counted = dict(zip(drawn, results(executor, "steering", drawn.values(), "images"), strict=True))
    found["images"], found["vectors"] = images, kind
    found["steered"] = {key: _misread([counted[place] for place in places]) for key, places in used.items()}
    (folder / "suggest.csv").write_text(as_csv(found["variants"]), encoding="utf-8")
    return {"suggest": found}


def suggest_lines(found: dict[str, Any]) -> list[str]:
    """The closing table."""
    check, count = found["check"], len(found["words"])
    lines = [
        f"senses: {check['words']} concept words left out in turn, named first / among three; both senses of the"
        f" {count} polysemous words among two / three"
    ]
    for row in found["variants"]:
        out = "        " if row["first"] is None else f"{row['first']:>3} /{row['among']:>3}"
        lines.append(f"{row['variant']:<42}{out}    {row['two']} / {row['three']}")
    for word in found["words"]:
        senses = ", ".join(f"{concept} {similarity:.2f}" for concept, similarity in word["senses"])
        lines.append(f"{word['word']:<9} {senses}; {word['as_open']:.0%} of the concept words look as open or more")
    lines.append(f"a polysemous word looks more open than a concept word in {found['openness']:.0%} of all such pairs")
    for name, rows in found["prompts"].items():
        first, free, told = (
            sum(row["first"] if what == "first" else set(row[what]) == set(row["asked"]) for row in rows)
            for what in ("first", "free", "told")
        )
        lines.append(
            f"{name}: of {len(rows)} prompts the word is proposed in {first}, the pair of senses in {free}, with the"
            f" meaning given in {told}"
        )
    shares = ", ".join(f"{name} {share:.1%}" for name, share in found["steered"].items())
    lines.append(f"misread images of {BENCHMARK} ({found['images']} a prompt, vectors by {found['vectors']}): {shares}")
    foreign = found["foreign"]
    lines.append(
        f"{FOREIGN.stem}: not measured, it needs the text encoder of SD; of its {len(foreign['words'])} words the"
        f" pocket encoder has seen {len(foreign['known'])} ({', '.join(foreign['known'])})"
    )
    return lines


def _misread(counted: list[dict[str, int]]) -> float:
    return sum(one["misread"] for one in counted) / sum(one["images"] for one in counted)


def _prompts(path: Path) -> list[dict[str, str]]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))["prompts"]
