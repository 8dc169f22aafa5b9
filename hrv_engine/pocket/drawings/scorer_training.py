"""Trains the scorer on fresh renders: ``python -m hrv_engine.pocket.drawings.scorer_training --out FOLDER``.

Made for one CPU core (bfloat16 where the core has it is 1.7 times as fast), and for a GPU if there is one. Everything
needed to go on is in the checkpoint; started again it continues there, and a larger --minutes trains longer. Images are
noised, blurred and shifted a little, since generated images are not as clean as rendered ones.
"""

from __future__ import annotations

import argparse
import copy
import io
import logging
import random
import time
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from ...storage.atomic import replace_file
from .examples import draw_scenes, rendered, roughen
from .labels import HIDDEN
from .render import Renderer
from .scorer import Scorer

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recipe:
    """The training settings, with the reason where it is not the usual one."""

    batch: int = 128
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    warmup: int = 200
    decay_share: float = 0.45  # the learning rate falls linearly to zero over this last share of the budget
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


@dataclass
class Progress:
    """How far a training has come."""

    step: int = 0
    seen: int = 0
    seconds: float = 0.0


def loss_of(logits: dict[str, Tensor], truth: dict[str, Tensor], recipe: Recipe) -> Tensor:
    """Weighted cross-entropy over the families, each a mean over the images that show it."""
    weights = dict(recipe.weights)
    total = torch.zeros((), device=next(iter(truth.values())).device)
    for family, target in truth.items():
        if (target != HIDDEN).any():
            error = F.cross_entropy(logits[family].float(), target, ignore_index=HIDDEN)
            total = total + weights.get(family, recipe.other_weight) * error
    return total


class Trainer:
    """A scorer in training with its running average, optimiser and checkpoint; everything lives in one folder."""

    def __init__(self, folder: Path, recipe: Recipe, device: torch.device, seed: int = 0) -> None:
        torch.manual_seed(seed)
        self.folder, self.recipe, self.device = folder, recipe, device
        self.scorer = Scorer().to(device, memory_format=torch.channels_last).train()
        self.average = copy.deepcopy(self.scorer).eval()
        self.optimiser = torch.optim.AdamW(
            self.scorer.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True
        )
        self.renderer = Renderer(device)
        self.progress = Progress()
        self.checkpoint = folder / "checkpoint.pt"
        if self.checkpoint.exists():
            self._resume()
        self.rng = random.Random(f"{seed}/{self.progress.step}")
        torch.manual_seed(self.rng.getrandbits(40))

    def _resume(self) -> None:
        state = torch.load(self.checkpoint, map_location=self.device, weights_only=True)
        self.scorer.load_state_dict(state["scorer"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.progress = Progress(**state["progress"])

    def save(self) -> None:
        """Writes the checkpoint and the averaged weights, each as a whole or not at all."""
        stored = io.BytesIO()
        parts = {"scorer": self.scorer, "average": self.average, "optimiser": self.optimiser}
        state = {name: part.state_dict() for name, part in parts.items()}
        torch.save({**state, "progress": vars(self.progress)}, stored)
        replace_file(self.checkpoint, stored.getvalue())
        self.average.save(self.folder / "scorer.safetensors")

    def step(self, share: float) -> float:
        """One batch at this share of the budget; returns its loss."""
        recipe = self.recipe
        rate = min(1.0, (self.progress.step + 1) / recipe.warmup, (1 - share) / recipe.decay_share)
        for group in self.optimiser.param_groups:
            group["lr"] = recipe.learning_rate * rate
        grammar = 0.1 + 0.9 * min(1.0, share / recipe.plain_share)
        scenes = draw_scenes(self.rng, recipe.batch, grammar, recipe.rich_share)
        images, truth = rendered(scenes, self.rng, self.renderer)
        images = roughen(images, self.rng, recipe.noise).contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16):
            logits = self.scorer.logits(images)
        loss = loss_of(logits, truth, recipe)
        loss.backward()
        self.optimiser.step()
        self.optimiser.zero_grad()
        self.progress.step += 1
        self.progress.seen += recipe.batch
        self._follow(min(recipe.ema, self.progress.step / (10 + self.progress.step)))
        return loss.item()

    @torch.no_grad()
    def _follow(self, keep: float) -> None:
        """Moves the average towards the scorer; BatchNorm's statistics are averages already."""
        torch._foreach_lerp_(list(self.average.parameters()), list(self.scorer.parameters()), 1 - keep)
        for average, current in zip(self.average.buffers(), self.scorer.buffers(), strict=True):
            average.copy_(current)

    def run(self, minutes: float, save_every: float = 180, say_every: int = 100) -> None:
        """Trains until the budget is used up, time before an interruption included."""
        started = time.monotonic() - self.progress.seconds
        saved, smooth = self.progress.seconds, None
        while self.progress.seconds < 60 * minutes:
            loss = self.step(self.progress.seconds / (60 * minutes))
            smooth = loss if smooth is None else 0.98 * smooth + 0.02 * loss
            self.progress.seconds = time.monotonic() - started
            if self.progress.step % say_every == 0:
                pace = self.progress.seen / self.progress.seconds
                logger.info("step %d, %.0f images a second, loss %.3f", self.progress.step, pace, smooth)
            if self.progress.seconds - saved > save_every:
                self.save()
                saved = self.progress.seconds
        self.save()


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
    Trainer(folder, Recipe(), device, args.seed).run(args.minutes, args.save_every)


if __name__ == "__main__":
    main()
