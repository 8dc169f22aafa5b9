"""`make train-drawings`: trains the drawings model on a card, from the weights that ship or from nothing.

One command of some minutes: captions are drawn by the other cores, images rendered on the card. The folder --out then
holds the checkpoint, from which the same command goes on, and the averaged weights, whole and in parts of 15 MiB.
`--ship` puts such parts together and writes the eight-bit file that ships. No term of the loss knows of heads.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import signal
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from ..diffusion import LATENT_CHANNELS, STEPS, alphas_cumprod, to_latent
from ..model import MODELS, PocketModel
from ..network import UNetConfig
from ..parts import joined, split
from ..text import LENGTH, TextConfig
from .bank import SIDE
from .batches import Batches, drawing
from .render import Renderer
from .trainer import Pace, Trainer

WEIGHTS = "drawings.safetensors"
#: Images that the weights which ship were trained on (989,184 and 1,327,104).
SEEN = 2_316_288
#: Steps that are timed without and with a compiler, and those before them that are not.
TIMED, WARM = 8, 3
#: Seconds that a compiler may take.
PATIENCE = 170

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recipe(Pace):
    """Every setting of a training, with the reason where it is not the usual one."""

    seconds: float = 500
    batch: int = 1024
    betas: tuple[float, float] = (0.9, 0.98)
    weight_decay: float = 0.01  # of matrices and convolutions only
    warmup: int = 300
    clip: float | None = 1.0
    ema: float = 0.9993
    empty_captions: float = 0.1  # for classifier-free guidance
    summary_dropout: float = 0.4  # as in the squares' trainer: meaning must sit in the words themselves
    time_power: float = 0.7  # t = 1000 u^0.7: more of the high noise levels, where it is decided what an image shows
    weight_limit: float = 5.0  # loss weight 1 / (1 − ᾱ), at most this
    fresh: bool = False  # from nothing, through the growing grammar, instead of from the weights that ship
    compile: bool = False  # by torch.compile, where that turns out to be faster
    save_every: float = 120  # seconds
    seed: int = 0
    unet: UNetConfig = field(
        default_factory=lambda: UNetConfig(LATENT_CHANNELS, 64, (1, 2, 3), (2, 2, 2), (1, 1, 1), 1, context_dim=192)
    )
    text: TextConfig = field(default_factory=lambda: TextConfig(width=192, heads=6, layers=3))


def model_to_train(recipe: Recipe) -> PocketModel:
    """The model that ships, or a random one of its words and the recipe's sizes."""
    shipped = PocketModel.load(MODELS["drawings"])
    if not recipe.fresh:
        return shipped
    torch.manual_seed(recipe.seed)
    return PocketModel(shipped.vocabulary, recipe.unet, recipe.text, SIDE)


def conditioning(model: PocketModel, rows: Tensor, ends: Tensor, dropped: Tensor) -> Tensor:
    """Conditioning [n, 77, width]; where `dropped` [n], end-of-text tokens get the empty caption's outputs."""
    empty = torch.tensor([model.vocabulary.encode("")[0]], device=rows.device)
    hidden = model.text(torch.cat([rows, empty]))
    first_end = torch.where(dropped, ends, LENGTH)
    is_summary = torch.arange(LENGTH, device=rows.device)[None, :] >= first_end[:, None]
    return torch.where(is_summary[:, :, None], hidden[-1:], hidden[:-1])


class TooLong(BaseException):
    """A compiler takes longer than it may; no Exception, which a compiler would swallow."""


class Ahead:
    """The next batch is made by a thread, on a stream of its own, while this one is learned from.

    A renderer asks the card which images have what, and would wait each time for the step before.
    """

    def __init__(self, make: Callable[[int, float], tuple[Tensor, ...]], device: torch.device) -> None:
        self.make, self.pool = make, ThreadPoolExecutor(1)
        self.stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        self._number, self._next = -1, Future[tuple[Tensor, ...]]()

    def take(self, number: int, share: float) -> tuple[Tensor, ...]:
        """What `make` makes of this number, on the current stream."""
        made = (self._next if self._number == number else self.pool.submit(self._made, number, share)).result()
        self._number, self._next = number + 1, self.pool.submit(self._made, number + 1, share)
        if self.stream is not None:
            for tensor in made:
                tensor.record_stream(torch.cuda.current_stream())
        return made

    def _made(self, number: int, share: float) -> tuple[Tensor, ...]:
        with torch.cuda.stream(self.stream):
            made = self.make(number, share)
            if self.stream is not None:
                self.stream.synchronize()
            return made


class DrawingsTrainer(Trainer):
    """The drawings model in training; batches come from `drawing`."""

    network: PocketModel
    average: PocketModel

    def __init__(
        self, folder: Path, recipe: Recipe, device: torch.device, batches: Batches, model: PocketModel
    ) -> None:
        model = model.to(device, memory_format=torch.channels_last)
        parameters = list(model.parameters())
        groups = [
            {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": recipe.weight_decay},
            {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
        ]
        super().__init__(folder, recipe, model, groups, recipe.seed, betas=recipe.betas)
        self.recipe, self.batches = recipe, batches
        self.renderer, self.alphas = Renderer(device), alphas_cumprod().to(device)
        self.rendered = Ahead(self._rendered, device)

    def try_compiled(self) -> None:
        """Train some steps as they are and some compiled, and go on with whichever is faster."""
        started = time.monotonic()
        plain = self._images_a_second()
        compiled = (self.network.unet, self.network.text)
        for module in compiled:
            module.compile(dynamic=False)
        signal.signal(signal.SIGALRM, _too_long)
        signal.alarm(PATIENCE)
        try:
            fast = self._images_a_second()
        except (Exception, TooLong) as error:  # a compiler's, of any kind: no step was taken
            logger.info("not compiled: %s: %s", type(error).__name__, str(error)[:300])
            self.optimiser.zero_grad()
            fast = 0.0
        finally:
            signal.alarm(0)
        spent = time.monotonic() - started
        logger.info("%.0f images a second, %.0f compiled; %.0f s to find out", plain, fast, spent)
        if fast <= plain:
            for module in compiled:
                module._compiled_call_impl = None  # torch has no public way back
        self.progress.seconds += spent

    def _images_a_second(self) -> float:
        """Of some steps, after others in which memory is found and code is compiled."""
        share = self.progress.seconds / self.recipe.seconds
        for _ in range(WARM):
            self.step(share).item()
        started = time.monotonic()
        for _ in range(TIMED):
            loss = self.step(share)
        loss.item()
        return TIMED * self.recipe.batch / (time.monotonic() - started)

    def say_costs(self) -> None:
        """One step's time by operation and by kernel, longest first."""
        kinds = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if self.device.type == "cuda" else [])]
        with profile(activities=kinds) as found:
            self.step(self.progress.seconds / self.recipe.seconds).item()
        column = "self_device_time_total" if self.device.type == "cuda" else "self_cpu_time_total"
        logger.info("%s", found.key_averages().table(sort_by=column, row_limit=24, max_name_column_width=70))

    def loss(self, share: float, rng: random.Random) -> Tensor:
        """The weighted x0 error of a batch."""
        recipe, device, n = self.recipe, self.device, self.recipe.batch
        clean, rows, ends = self.rendered.take(self.progress.step, share if recipe.fresh else 1.0)
        spread = (torch.randperm(n, device=device) + torch.rand(n, device=device)) / n
        times = (STEPS * spread**recipe.time_power).long().clamp(0, STEPS - 1)
        alpha = self.alphas[times][:, None, None, None]
        noisy = alpha.sqrt() * clean + (1 - alpha).sqrt() * torch.randn_like(clean)
        dropped = torch.rand(n, device=device) < recipe.summary_dropout
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            predicted = self.network.unet(noisy, times, conditioning(self.network, rows, ends, dropped))
        weight = (1 / (1 - alpha)).clamp(max=recipe.weight_limit)
        return ((predicted.float() - clean) ** 2 * weight).mean()

    @torch.no_grad()
    def _rendered(self, number: int, share: float) -> tuple[Tensor, ...]:
        """Clean latents of batch `number`, its captions' rows and the places of their first end-of-text token."""
        batch = self.batches.take(number, share)
        clean = to_latent(self.renderer(batch.scenes)).contiguous(memory_format=torch.channels_last)
        return clean, batch.rows.long().to(self.device), batch.ends.to(self.device)

    def save_weights(self) -> None:
        """Writes the averaged weights in fp16, whole and in parts; eight bits would cost the next run its details."""
        path = self.folder / WEIGHTS
        before = 0 if self.recipe.fresh else seen_by(MODELS["drawings"])
        self.average.save(path, seen=str(before + self.progress.seen), seconds=f"{self.progress.seconds:.0f}")
        split(path)


def _too_long(*_: object) -> None:
    raise TooLong(f"compiling took longer than {PATIENCE} s")


def ship(folder: Path, to: Path) -> PocketModel:
    """Put the parts in a folder together and write the eight-bit file `to`; returns the model in fp32."""
    whole = folder / WEIGHTS
    whole.write_bytes(joined(whole))
    model = PocketModel.load(whole)
    model.save_in_eight_bits(to, seen=str(seen_by(whole)))
    return model


def seen_by(path: Path) -> int:
    """How many images a file's model was trained on, as its metadata says; the one of SEEN does not say."""
    with safe_open(path, "pt") as file:
        return int(file.metadata().get("seen", SEEN))


def main() -> None:
    """Command line of the drawings' trainer."""
    default = Recipe()
    parser = argparse.ArgumentParser(prog="python -m hrv_engine.pocket.drawings.training", description=__doc__)
    parser.add_argument("--seconds", type=float, default=default.seconds, help="budget, over all runs of one folder")
    parser.add_argument("--out", default="~/.cache/comfyui-hrv/drawings", help="folder of checkpoint and weights")
    parser.add_argument("--batch", type=int, default=default.batch)
    parser.add_argument("--learning-rate", type=float, default=default.learning_rate)
    parser.add_argument("--seed", type=int, default=default.seed)
    parser.add_argument("--fresh", action="store_true", help="from nothing instead of from the weights that ship")
    parser.add_argument("--compile", action="store_true", help="compile if that is faster: a minute or two first")
    parser.add_argument("--profile", action="store_true", help="say what one step spends its time on")
    parser.add_argument("--workers", type=int, default=max(1, (os.cpu_count() or 2) // 4), help="that draw captions")
    parser.add_argument("--ship", action="store_true", help="train nothing: join the parts in --out, replace the model")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    folder = Path(args.out).expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    if args.ship:
        ship(folder, MODELS["drawings"])
        return
    recipe = Recipe(
        seconds=args.seconds, batch=args.batch, learning_rate=args.learning_rate, seed=args.seed, fresh=args.fresh,
        compile=args.compile,
    )  # fmt: skip
    train(folder, recipe, args.workers, args.profile)


def train(folder: Path, recipe: Recipe, workers: int, costs: bool = False) -> None:
    """Train until the recipe's seconds are used up, the start's included, on a card if there is one."""
    started = time.monotonic()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    model = model_to_train(recipe)
    with drawing(model.vocabulary, recipe.seed, recipe.batch, recipe.empty_captions, workers) as batches:
        training = DrawingsTrainer(folder, recipe, device, batches, model)
        training.rendered.take(training.progress.step, 1.0 if not recipe.fresh else 0.0)  # the others are at work
        if costs:
            training.say_costs()
        training.progress.seconds += time.monotonic() - started
        if recipe.compile:
            training.try_compiled()
        if costs and recipe.compile:
            training.say_costs()
        training.run(recipe.seconds, recipe.save_every)


if __name__ == "__main__":
    main()
