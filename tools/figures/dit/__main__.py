"""`make figures-dit`: head vectors of a Flux-shaped pocket model, by votes and by effect: output/figures/dit/.

The weights do not ship: give the file of a model like the trial's, see docs/effect.md. Every finished part is kept and
not done again, and so is every finished batch of a build; `--again` starts over.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from hrv_engine.pocket.model import FLUX, FLUX_VARIABLE, models

from ...pack import load_pack
from ..effect.cases import cases
from ..effect.orders import names
from ..effect.parts import finished
from ..effect.tables import agreement as alike
from ..effect.tables import areas, few_words, passes_of_effect
from ..effect.worlds import DIT, EVERYTHING, WORLDS, vectors
from ..workers import results
from .lines import lines
from .reasons import reasons

FOLDER = WORLDS[DIT].folder
KNOWN = 0.4  # mean probability of the asked word in plain images, from which a concept is weakened
COUNTS = [0, 10, 26, 104]
RANDOM = 10
KINDS = ("votes", "effect", "votes least", "effect least")
ATTENTION = "attention on the word"
OF_OBJECTS = ("Size", "Counting")  # read off objects, which the trial's model does not draw: left out
PROMPTS = 3  # of a concept that is weakened
IMAGES = 2


def main() -> None:
    """Do what is not done yet, then print the tables and draw the curves."""
    parser = argparse.ArgumentParser(prog="python -m tools.figures.dit", description=__doc__)
    parser.add_argument("weights", nargs="?", help=f"the model's file; default: {FLUX_VARIABLE}, or the one that ships")
    parser.add_argument("--processes", type=int, default=None, help="how many at once; default: one a core")
    parser.add_argument("--again", action="store_true", help="throw away what is kept")
    options = parser.parse_args()
    if options.weights:
        os.environ[FLUX_VARIABLE] = str(Path(options.weights).resolve())
    if FLUX not in models():
        parser.error(f"there is no model at {os.environ.get(FLUX_VARIABLE) or 'hrv_presets/pocket/drawings'}")
    load_pack()
    if options.again:
        shutil.rmtree(FOLDER, ignore_errors=True)
    kept = partial(finished, FOLDER / "dit.json", worlds=[DIT], processes=options.processes)
    rates = kept({"plain": plain})[DIT]["plain"]
    known = [name for name, rate in rates.items() if rate >= KNOWN and name not in OF_OBJECTS]
    parts = {"build": build, "agreement": agreement, "reasons": reasons}
    done = kept({name: partial(part, known) for name, part in parts.items()})[DIT]
    attention = {name: done["reasons"][name]["attention"] for name in known}
    done = kept({f"weakening {name}": partial(weakening, name, attention[name]) for name in known})[DIT]
    done["weakening"] = {name: done[f"weakening {name}"] for name in known}
    text = "\n".join(lines(done))
    (FOLDER / "dit.md").write_text(text + "\n", encoding="utf-8")
    from .picture import save_curves

    save_curves(done["weakening"], FOLDER / "weakening.png")
    sys.stdout.write(text + "\n")


def plain(executor: ProcessPoolExecutor, world: str) -> dict[str, float]:
    """{concept: mean probability of the asked word in plain images}."""
    asked = cases(world)
    tasks = [(world, text, word, 700 + number, IMAGES) for number, (_, text, word, _) in enumerate(asked)]
    found: dict[str, list[float]] = defaultdict(list)
    for (concept, *_), rates in zip(asked, results(executor, "dit.plain", tasks, "plain images"), strict=True):
        found[concept] += rates
    return {concept: sum(rates) / len(rates) for concept, rates in found.items()}


def build(known: list[str], executor: ProcessPoolExecutor, world: str) -> dict[str, Any]:
    """Votes of all concepts, effects of those that the model knows."""
    there = WORLDS[world]
    images, samples = len(there.prompts.prompts), len(there.samples(known).samples)
    tasks: list[tuple] = [(world, "effect", start, 8, known) for start in range(0, samples, 8)]
    tasks += [(world, "votes", start, 8) for start in range(0, images, 8)]
    results(executor, "effect.build", tasks, "building")
    return {"images": images, "samples": samples, "rows by effect": passes_of_effect(there.effect_settings(), samples)}


def agreement(known: list[str], _executor: ProcessPoolExecutor, world: str) -> Any:
    """How alike the vectors of both kinds are."""
    effect = vectors(world, "effect")
    return {"votes": alike(effect, vectors(world, "votes")), "few words": few_words(effect)}


def weakening(concept: str, attention: list[int], executor: ProcessPoolExecutor, world: str) -> Any:
    """What is left of a concept, and its areas, under every order."""
    wanted = {EVERYTHING: [*names(RANDOM, KINDS), ATTENTION]}
    tasks = [
        (world, *case, 11 + number, wanted, COUNTS, {ATTENTION: attention})
        for number, case in enumerate(cases(world, PROMPTS))
        if case[0] == concept
    ]
    rows = results(executor, "effect.weakening", tasks, f"weakening {concept}")
    return areas(row for each in rows for row in each)[EVERYTHING][concept]


if __name__ == "__main__":
    main()
