"""Measures the shipped pocket model against its bars: ``python -m hrv_engine.pocket.evaluate``.

Everything is read by the scorer; it counts nothing that it cannot read on real renders (its own accuracy comes first).
Misreading with and without steering is counted in ComfyUI by ``make demo``; here only the plain rate.
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import torch
import yaml
from torch import Tensor

from ..paths import PRESETS
from . import scenes as world
from .captions import describe
from .model import SHIPPED, PocketModel
from .scenes import KINDS, Scene, Thing, kind_of
from .scorer_training import accuracy, examples
from .scoring import CLASSES, PRESENT, Scorer, read_polysemous

BENCHMARK = PRESETS / "benchmarks" / "pocket_polysemous.yaml"
Asked = dict[str, str]


def single_object_prompts(count: int, seed: int = 0) -> list[tuple[str, Asked]]:
    """Captions of one object, each with what must be visible; objects, colours and other attributes evenly spread."""
    rng = random.Random(seed)
    plain = [kind for kind in KINDS if kind not in {kind_of(word) for word in world.POLYSEMOUS}]
    attributes: Iterator[tuple[str, Sequence[str]]] = itertools.cycle(
        [
            ("", ()),
            ("scene", world.SCENES),
            ("", ()),
            ("weather", world.WEATHERS),
            ("scene", world.SCENES),
            ("pattern", world.PATTERNS),
            ("material", world.MATERIALS),
            ("style", world.STYLES),
            ("position", world.POSITIONS),
            ("size", world.SIZES),
        ]
    )
    prompts = []
    for index in range(count):
        kind = plain[index % len(plain)]
        color = rng.choice(world.PLAIN_COLORS) if kind in world.SHAPES else None
        attribute, words = next(attributes)
        asked = {"object": kind} | ({"color": color} if color else {})
        thing: dict[str, Any] = {}
        whole: dict[str, Any] = {}
        if attribute:
            asked[attribute] = rng.choice(words)
            (thing if attribute in ("pattern", "material") else whole)[attribute] = asked[attribute]
        if whole.get("style") in ("sketch", "vintage", "negative") or whole.get("size") == "tiny":
            asked.pop("color", None)
        prompts.append((describe(Scene((Thing(kind, color, **thing),), **whole)), asked))
    return prompts


def shown(scores: dict[str, Tensor], asked: Asked, row: int) -> dict[str, bool]:
    """Which of the asked attributes image `row` shows."""
    result = {}
    kind = KINDS.index(asked["object"])
    for family, value in asked.items():
        if family == "object":
            group = "shape" if value in world.SHAPES else value.split(" ")[1]
            result["object"] = result[group] = bool(scores["object"][row, kind] > PRESENT)
        elif family == "color":
            result["color"] = int(scores["color_of"][row, kind].argmax()) == CLASSES["color"].index(value)
        else:
            result[family] = int(scores[family][row].argmax()) == CLASSES[family].index(value)
    return result


def attribute_shares(
    model: PocketModel, scorer: Scorer, count: int, batch: int = 50, cfg: float = 3.0
) -> dict[str, float]:
    """Share of generated images that show the asked attribute, by family."""
    hits: dict[str, list[bool]] = defaultdict(list)
    prompts = single_object_prompts(count)
    for start in range(0, count, batch):
        part = prompts[start : start + batch]
        scores = scorer(model.sample([text for text, _ in part], seed=start, cfg=cfg))
        for row, (_, asked) in enumerate(part):
            for family, good in shown(scores, asked, row).items():
                hits[family].append(good)
    return {family: sum(values) / len(values) for family, values in hits.items()}


def misread_rates(model: PocketModel, scorer: Scorer, seeds: int = 8, cfg: float = 3.0) -> dict[str, float]:
    """Misread rate of every benchmark prompt, and ``all``: their mean."""
    rates = {}
    for prompt in yaml.safe_load(BENCHMARK.read_text(encoding="utf-8"))["prompts"]:
        scores = scorer(model.sample([prompt["text"]] * seeds, seed=1, cfg=cfg))
        rates[prompt["text"]] = read_polysemous(scores, prompt).misread.float().mean().item()
    return {**rates, "all": sum(rates.values()) / len(rates)}


def _lines(title: str, shares: dict[str, float]) -> str:
    return "\n".join([title, *(f"  {name:24s} {100 * share:5.1f} %" for name, share in shares.items())])


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> None:
    """Command line: prints every figure of hrv_presets/pocket/README.md."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", default=str(SHIPPED / "pocket.safetensors"))
    parser.add_argument("--scorer", default=str(SHIPPED / "scorer.safetensors"))
    parser.add_argument("--prompts", type=int, default=500)
    parser.add_argument("--cfg", type=float, default=3.0)
    args = parser.parse_args()
    model, scorer = PocketModel.load(args.weights), Scorer.load(args.scorer)
    _say(_lines("scorer on 2000 fresh renders", accuracy(scorer, *examples(random.Random(31337), 2000))))
    started = time.monotonic()
    model.sample(["a red circle"])
    _say(f"20 steps of one image: {time.monotonic() - started:.2f} s on {torch.get_num_threads()} threads")
    shares = attribute_shares(model, scorer, args.prompts, cfg=args.cfg)
    _say(_lines(f"asked attribute shown, {args.prompts} single-object prompts", shares))
    _say(_lines("misread, plain", misread_rates(model, scorer, cfg=args.cfg)))


if __name__ == "__main__":
    main()
