"""How often the scorer is right on fresh renders: ``python -m hrv_engine.pocket.drawings.accuracy``.

Two figures a family: of all images, and as the mean over its classes. Most images have no style, so that the first says
little of styles; the second counts each of them alike.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import defaultdict

import torch
from torch import Tensor

from .examples import draw_scenes, rendered
from .labels import HIDDEN
from .render import Renderer
from .scorer import SHIPPED_SCORER, Scorer

Labels = dict[str, Tensor]


def fresh_labels(scorer: Scorer, count: int, seed: int = 31337, batch: int = 250) -> tuple[Labels, Labels]:
    """(read, true) class numbers by family of `count` renders of captions that no training drew."""
    rng, renderer = random.Random(seed), Renderer()
    read: dict[str, list[Tensor]] = defaultdict(list)
    true: dict[str, list[Tensor]] = defaultdict(list)
    for start in range(0, count, batch):
        images, truth = rendered(draw_scenes(rng, min(batch, count - start)), rng, renderer)
        for family, scores in scorer(images).items():
            read[family].append(scores.argmax(1))
            true[family].append(truth[family])
    return {family: torch.cat(parts) for family, parts in read.items()}, {f: torch.cat(true[f]) for f in true}


def accuracy(read: Labels, true: Labels) -> dict[str, float]:
    """Share of the labels that an image shows read right, by family; "object" is of scenes with one sort of thing."""
    visible = {family: target != HIDDEN for family, target in true.items()}
    return {family: (read[family] == true[family])[seen].float().mean().item() for family, seen in visible.items()}


def accuracy_of_classes(read: Labels, true: Labels) -> dict[str, float]:
    """Mean over a family's classes of the share of each that is read right: reading "none" always gains little."""
    shares = {}
    for family, target in true.items():
        classes = target[target != HIDDEN].unique()
        right = [(read[family] == number)[target == number].float().mean() for number in classes]
        shares[family] = torch.stack(right).mean().item() if right else float("nan")
    return shares


MEASURES = (accuracy, accuracy_of_classes)


def say(title: str, *columns: dict[str, float]) -> None:
    """Prints shares in percent, a family a line, a column for each mapping."""
    lines = [title]
    for name in columns[0]:
        lines.append(f"  {name:16s}" + "".join(f" {100 * shares[name]:5.1f} %" for shares in columns))
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Command line: prints the figures of the scorer in hrv_presets/pocket/drawings/README.md."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scorer", default=str(SHIPPED_SCORER))
    parser.add_argument("--renders", type=int, default=5000)
    args = parser.parse_args()
    read, true = fresh_labels(Scorer.load(args.scorer), args.renders)
    say(f"{args.renders} fresh renders: of all images, mean over classes", *(f(read, true) for f in MEASURES))


if __name__ == "__main__":
    main()
