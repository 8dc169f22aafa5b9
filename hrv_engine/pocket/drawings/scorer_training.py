"""Trains the scorer on fresh renders: ``python -m hrv_engine.pocket.drawings.scorer_training --out FOLDER``.

Made for one CPU core (bfloat16 where the core has it is 1.7 times as fast), and for a GPU if there is one. Everything
needed to go on is in the checkpoint; started again it continues there, and a larger --minutes trains longer. Images are
noised, blurred and shifted a little, since generated images are not as clean as rendered ones.
"""

from __future__ import annotations

import argparse
import logging
import random
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from .examples import draw_scenes, rendered, roughen
from .labels import HIDDEN
from .render import Renderer
from .scorer import Scorer
from .trainer import Pace, Trainer


@dataclass(frozen=True)
class Recipe(Pace):
    """The training settings, with the reason where it is not the usual one."""

    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    plain_share: float = 0.2  # the captions grow from plain things to the full grammar over this first share
    ema: float = 0.995
    noise: float = 0.05  # most, of the standard deviation, which is drawn for each image
    # Share of images of one thing with many attributes: captions name few, and "none" must be no safe guess.
    rich_share: float = 0.6
    # Objects have hundreds of classes and stay wrong longest; "none" hides the last three best.
    weights: tuple[tuple[str, float], ...] = (
        *(("object", 1.5), ("left_object", 0.5), ("right_object", 0.5)),
        *(("style", 0.8), ("paint", 0.6), ("pattern", 0.6)),
    )
    other_weight: float = 0.3


def loss_of(logits: dict[str, Tensor], truth: dict[str, Tensor], recipe: Recipe) -> Tensor:
    """Weighted cross-entropy over the families, each a mean over the images that show it."""
    weights = dict(recipe.weights)
    total = torch.zeros((), device=next(iter(truth.values())).device)
    for family, target in truth.items():
        if (target != HIDDEN).any():
            error = F.cross_entropy(logits[family].float(), target, ignore_index=HIDDEN)
            total = total + weights.get(family, recipe.other_weight) * error
    return total


class ScorerTrainer(Trainer):
    """A scorer in training."""

    network: Scorer
    average: Scorer

    def __init__(self, folder: Path, recipe: Recipe, device: torch.device, seed: int = 0) -> None:
        torch.manual_seed(seed)
        scorer = Scorer().to(device, memory_format=torch.channels_last)
        super().__init__(folder, recipe, scorer, scorer.parameters(), seed, weight_decay=recipe.weight_decay)
        self.recipe, self.renderer = recipe, Renderer(device)

    def save_weights(self) -> None:
        """Writes scorer.safetensors."""
        self.average.save(self.folder / "scorer.safetensors")

    def loss(self, share: float, rng: random.Random) -> Tensor:
        """Of fresh renders, roughened."""
        recipe = self.recipe
        grammar = 0.1 + 0.9 * min(1.0, share / recipe.plain_share)
        images, truth = rendered(draw_scenes(rng, recipe.batch, grammar, recipe.rich_share), rng, self.renderer)
        images = roughen(images, rng, recipe.noise).contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16):
            logits = self.network.logits(images)
        return loss_of(logits, truth, recipe)


def main() -> None:
    """Command line of the scorer's trainer."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=75, help="total budget, time before an interruption included")
    parser.add_argument("--out", default="~/.cache/comfyui-hrv/scorer", help="folder of checkpoint and weights")
    parser.add_argument("--save-every", type=float, default=180, help="seconds between checkpoints")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(args.threads)
    folder = Path(args.out).expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    ScorerTrainer(folder, Recipe(), device, args.seed).run(60 * args.minutes, args.save_every)


if __name__ == "__main__":
    main()
