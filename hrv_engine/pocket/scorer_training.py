"""Trains the scorer on fresh renders: ``python -m hrv_engine.pocket.scorer_training --out scorer.safetensors``.

Pictures are noised, blurred and shifted a little, since generated pictures are not as clean as rendered ones. A label
that the picture cannot show (the colour of a sketch, the position of one of three stars) is masked.
"""

from __future__ import annotations

import argparse
import logging
import random
import time
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from .captions import draw_caption
from .render import render
from .scenes import KINDS, Scene
from .scoring import CLASSES, Scorer

logger = logging.getLogger(__name__)
#: Label of a family that this picture cannot show.
HIDDEN = -100
_COLORLESS = ("sketch", "vintage", "negative")


def labels(scenes: Sequence[Scene]) -> dict[str, Tensor]:
    """Class indices [n] by family (HIDDEN where unreadable), ``object`` (presence) and ``color_of`` [n, kinds]."""
    result = {family: torch.full((len(scenes),), HIDDEN) for family in CLASSES if family not in ("object", "color")}
    result["object"] = torch.zeros(len(scenes), len(KINDS))
    result["color_of"] = torch.full((len(scenes), len(KINDS)), HIDDEN)
    for row, scene in enumerate(scenes):
        number = len(scene.things) if len(scene.things) != 1 else scene.count
        values = {"scene": scene.scene or "none", "weather": scene.weather or "none", "style": scene.style or "none"}
        values["count"] = CLASSES["count"][number]
        if number == 1:
            values["position"] = scene.position or "center"
            if scene.position is None:
                values["size"] = scene.size or "usual"
        if scene.things and scene.style != "sketch" and scene.size != "tiny":
            values["pattern"] = scene.things[0].pattern or "none"
            values["material"] = scene.things[0].material or "none"
        for family, value in values.items():
            result[family][row] = CLASSES[family].index(value)
        for thing in scene.things:
            column = KINDS.index(thing.kind)
            result["object"][row, column] = 1
            if thing.color and scene.style not in _COLORLESS and scene.size != "tiny":
                result["color_of"][row, column] = CLASSES["color"].index(thing.color)
    return result


def examples(rng: random.Random, count: int) -> tuple[Tensor, dict[str, Tensor]]:
    """Renders [count, 3, 32, 32] of the full caption grammar and their labels."""
    scenes = [draw_caption(rng).picture(rng) for _ in range(count)]
    return render(scenes, rng.getrandbits(40)), labels(scenes)


def _roughen(images: Tensor, rng: random.Random) -> Tensor:
    if rng.random() < 0.5:
        images = images + torch.randn_like(images) * torch.rand(images.shape[0], 1, 1, 1) * 0.06
    if rng.random() < 0.1:
        images = 0.7 * images + 0.3 * F.avg_pool2d(F.pad(images, (1, 1, 1, 1), mode="replicate"), 3, 1)
    if rng.random() < 0.3:
        images = torch.roll(images, (rng.randint(-1, 1), rng.randint(-1, 1)), (2, 3))
    return images.clamp(0, 1)


def _loss(logits: dict[str, Tensor], truth: dict[str, Tensor]) -> Tensor:
    total = 6 * F.binary_cross_entropy_with_logits(logits["object"], truth["object"])
    total = total + F.cross_entropy(logits["color_of"].flatten(0, 1), truth["color_of"].flatten(), ignore_index=HIDDEN)
    for family in CLASSES:
        if family not in ("object", "color"):
            weight = 1.0 if family == "style" else 0.4
            total = total + weight * F.cross_entropy(logits[family], truth[family], ignore_index=HIDDEN)
    return total


def accuracy(scorer: Scorer, images: Tensor, truth: dict[str, Tensor]) -> dict[str, float]:
    """Share of readable labels read right, by family; of "object": pictures whose objects are all right."""
    scores = scorer(images)
    shares = {"object": ((scores["object"] > 0.5) == (truth["object"] > 0.5)).all(1).float().mean().item()}
    for family, target in truth.items():
        if family != "object":
            visible = target != HIDDEN
            shares[family] = (scores[family].argmax(-1) == target)[visible].float().mean().item()
    return shares


def train(steps: int, batch: int = 64, seed: int = 0, scorer: Scorer | None = None) -> Scorer:
    """A scorer trained on steps × batch renders, from nothing or from a given one."""
    torch.manual_seed(seed)
    rng = random.Random(seed)
    scorer = (scorer or Scorer()).train()
    optimiser = torch.optim.AdamW(scorer.parameters(), lr=3e-3, weight_decay=0.02)
    started = time.monotonic()
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = 3e-3 * min(1.0, (step + 1) / 60) * max(0.01, 1 - step / steps)
        images, truth = examples(rng, batch)
        loss = _loss(scorer.logits(_roughen(images, rng)), truth)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if step % 200 == 199 or step == steps - 1:
            scorer.eval()
            shares = accuracy(scorer, *examples(random.Random(999), 500))
            scorer.train()
            readable = " ".join(f"{family} {share:.3f}" for family, share in shares.items())
            logger.info("step %d, %.0f s, loss %.3f: %s", step + 1, time.monotonic() - started, loss.item(), readable)
    return scorer.eval()


def main() -> None:
    """Command line of the scorer's trainer."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--out", default="scorer.safetensors")
    parser.add_argument("--start", help="a scorer to continue from")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    start = Scorer.load(args.start) if args.start else None
    train(args.steps, seed=args.seed, scorer=start).save(args.out)


if __name__ == "__main__":
    main()
