"""`make figures-effect`: heads by effect beside heads by votes on both pocket models: output/figures/effect/.

Every finished part is kept and not done again; `--again` starts over.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from ...pack import load_pack
from ..workers import results
from .cases import cases
from .lines import lines
from .orders import names
from .parts import finished
from .tables import agreement as alike
from .tables import areas, few_words, oracle_table, passes_of_effect, passes_of_votes, rates
from .worlds import EVERYTHING, FOLDER, VARIANTS, WORD, WORLDS, vectors, vectors_path

PARTS = ("build", "criterion", "choosing", "misreading", "agreement", "weakening", "oracle")
CLAMPS = (0.5, 1.0, 2.0, 4.0, 1000.0)
SHUFFLES = (1, 2, 3, 4, 5)
COUNTS = {"squares": [0, 4, 8, 16, 32, 64, 112], "drawings": [0, 8, 24, 64, 128]}
IMAGES = {"squares": 8, "drawings": 2}


def main() -> None:
    """Do what is not done yet, then print the tables."""
    parser = argparse.ArgumentParser(prog="python -m tools.figures.effect", description=__doc__)
    parser.add_argument("worlds", nargs="*", default=["squares", "drawings"], help="squares, drawings; default: both")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="of these parts only")
    parser.add_argument("--again", action="store_true", help="throw away what is kept")
    options = parser.parse_args()
    load_pack()
    if options.again:
        shutil.rmtree(FOLDER, ignore_errors=True)
    done = finished(FOLDER / "effect.json", {name: WORK[name] for name in options.only}, options.worlds)
    text = "\n".join(line for world in options.worlds for line in lines(world, done.get(world, {})))
    (FOLDER / "effect.md").write_text(text + "\n", encoding="utf-8")
    sys.stdout.write(text + "\n")


def build(executor: ProcessPoolExecutor, world: str) -> dict[str, Any]:
    """Votes, effects and their variants."""
    there = WORLDS[world]
    few = ["Color", "Scene", "Fruit"] if world == "squares" else ["Color", "Nature Scenes", "Fruits and Vegetables"]
    images, samples = len(there.prompts.prompts), len(there.samples().samples)
    tasks: list[tuple] = [(world, "votes", start, 8) for start in range(0, images, 8)]
    tasks += [(world, "effect", start, 8) for start in range(0, samples, 8)]
    for kind in list(VARIANTS)[1:]:
        whole = kind == "effect gradient"
        if kind == "effect forward" and world == "drawings":
            continue  # a thousand passes a word
        tasks.append((world, kind, 0, 0, None if whole else few))
    results(executor, "effect.build", tasks, f"{world}: building")
    return {
        "images": images,
        "samples": samples,
        "passes": {
            "votes": passes_of_votes(there.votes_settings, images),
            "effect": passes_of_effect(there.effect_settings(), samples),
            "effect gradient": passes_of_effect(there.effect_settings(integration=1), samples),
        },
    }


def weakening(executor: ProcessPoolExecutor, world: str) -> Any:
    """Areas under every order, both ways of weakening."""
    wanted = {EVERYTHING: names()}
    if world == "squares":  # on the drawings this would take another half hour
        wanted[WORD] = ["votes", "effect", "votes least", "effect least", "random 1", "random 2"]
    tasks = [
        (world, concept, text, word, beside, 11 + number, wanted, COUNTS[world])
        for number, (concept, text, word, beside) in enumerate(cases(world))
    ]
    rows = results(executor, "effect.weakening", tasks, f"{world}: weakening")
    return areas(row for each in rows for row in each)


def oracle(executor: ProcessPoolExecutor, world: str) -> Any:
    """Every head alone at -2 on the squares, and the order of what that costs."""
    if world != "squares":
        return {}
    tasks = [(world, concept, text, word, 500 + n) for n, (concept, text, word, _) in enumerate(cases(world)) if n % 2]
    rows = results(executor, "effect.oracle", tasks, f"{world}: every head alone")
    return oracle_table(world, rows)


def _misreading(executor: ProcessPoolExecutor, world: str, settings: list[tuple], held_out: bool, title: str) -> Any:
    prompts = WORLDS[world].polysemous(held_out)
    images = IMAGES[world]
    keys, tasks = list[str](), list[tuple]()
    for number, asked in enumerate(prompts):
        for name, method, kind, clamp, shuffle in settings:
            keys.append(name)
            tasks.append((world, asked, method, kind, clamp, shuffle, (900 if held_out else 300) + 10 * number, images))
    rows = results(executor, "effect.misreading", tasks, f"{world}: {title}")
    return rates({"setting": name, **row} for name, row in zip(keys, rows, strict=True))


def choosing(executor: ProcessPoolExecutor, world: str) -> Any:
    """Clamps for both kinds, on prompts kept for it."""
    settings = [("plain", "plain", "", 0.0, 0)]
    settings += [(f"effect, clamp {clamp:g}", "adjusted", "effect", clamp, 0) for clamp in CLAMPS]
    settings += [(f"votes, clamp {clamp:g}", "adjusted", "votes", clamp, 0) for clamp in (1.0, 2.0, 4.0, 1000.0)]
    return _misreading(executor, world, settings, True, "choosing a clamp")


def misreading(executor: ProcessPoolExecutor, world: str) -> Any:
    """The nodes' defaults by effect, the best clamp by votes, and shuffled heads, on prompts that chose nothing."""
    settings = [("plain", "plain", "", 0.0, 0)]
    settings += [(f"votes, {method}", method, "votes", 4.0, 0) for method in ("strengthened", "adjusted")]
    settings += [(f"effect, {method}", method, "effect", 0.0, 0) for method in ("strengthened", "adjusted")]
    settings += [("effect by gradient alone, adjusted", "adjusted", "effect gradient", 0.0, 0)]
    settings += [(f"effect, heads shuffled {seed}", "adjusted", "effect", 0.0, seed) for seed in SHUFFLES]
    return _misreading(executor, world, settings, False, "misreading")


def agreement(_executor: ProcessPoolExecutor, world: str) -> Any:
    """How alike vectors are, and how few words suffice."""
    effect = vectors(world, "effect")
    there = [kind for kind in ("votes", *VARIANTS) if kind != "effect" and vectors_path(world, kind).exists()]
    found: dict[str, Any] = {kind: alike(effect, vectors(world, kind)) for kind in there}
    return {**found, "few words": few_words(effect)}


def criterion(executor: ProcessPoolExecutor, world: str) -> Any:
    """How often the reading itself is right, on renders."""
    return results(executor, "effect.criterion", [(world,)], f"{world}: the reading of renders")[0]


WORK: dict[str, Callable[[ProcessPoolExecutor, str], Any]] = {
    "build": build,
    "criterion": criterion,
    "weakening": weakening,
    "oracle": oracle,
    "choosing": choosing,
    "misreading": misreading,
    "agreement": agreement,
}

if __name__ == "__main__":
    main()
