"""What the trainers of drawings share: a network, its running average and optimiser in one folder, and their loop."""

from __future__ import annotations

import copy
import io
import logging
import random
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...storage.atomic import replace_file

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pace:
    """The settings that the loop needs; a recipe adds its own."""

    batch: int = 128
    learning_rate: float = 1e-3
    warmup: int = 200  # steps
    decay_share: float = 0.45  # the learning rate falls linearly to zero over this last share of the budget
    ema: float = 0.999
    clip: float | None = None  # largest norm of a step's gradients


@dataclass
class Progress:
    """How far a training has come."""

    step: int = 0
    seen: int = 0
    seconds: float = 0.0


class Trainer(ABC):
    """A network in training; everything needed to go on is in the folder's checkpoint."""

    def __init__(
        self, folder: Path, pace: Pace, network: nn.Module, groups: Iterable[Any], seed: int, **optimiser: Any
    ) -> None:
        self.folder, self.pace, self.network, self.seed = folder, pace, network.train(), seed
        self.device = next(network.parameters()).device
        self.average = copy.deepcopy(network).eval().requires_grad_(False)
        self.optimiser = torch.optim.AdamW(groups, lr=pace.learning_rate, fused=True, **optimiser)
        self.progress = Progress()
        self.checkpoint = folder / "checkpoint.pt"
        if self.checkpoint.exists():
            self._resume()

    def _resume(self) -> None:
        state = torch.load(self.checkpoint, map_location=self.device, weights_only=True)
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.progress = Progress(**state["progress"])

    @abstractmethod
    def loss(self, share: float, rng: random.Random) -> Tensor:
        """The loss of the next batch, at this share of the budget; all chance comes from `rng` and torch's seed."""

    @abstractmethod
    def save_weights(self) -> None:
        """Write the averaged weights into the folder, in the form that ships."""

    def save(self) -> None:
        """Writes the checkpoint and the averaged weights, each as a whole or not at all."""
        stored = io.BytesIO()
        parts = {"network": self.network, "average": self.average, "optimiser": self.optimiser}
        state = {name: part.state_dict() for name, part in parts.items()}
        torch.save({**state, "progress": vars(self.progress)}, stored)
        replace_file(self.checkpoint, stored.getvalue())
        self.save_weights()

    def step(self, share: float) -> Tensor:
        """One batch at this share of the budget, from chance that its number decides; returns its loss, detached."""
        pace, number = self.pace, self.progress.step
        rate = min(1.0, (number + 1) / pace.warmup, (1 - share) / pace.decay_share)
        for group in self.optimiser.param_groups:
            group["lr"] = pace.learning_rate * rate
        rng = random.Random(f"{self.seed}/{number}")
        torch.manual_seed(rng.getrandbits(40))
        loss = self.loss(share, rng)
        loss.backward()
        if pace.clip is not None:
            nn.utils.clip_grad_norm_(self.network.parameters(), pace.clip)
        self.optimiser.step()
        self.optimiser.zero_grad()
        self.progress.step += 1
        self.progress.seen += pace.batch
        self._follow(min(pace.ema, (1 + number) / (11 + number)))
        return loss.detach()

    @torch.no_grad()
    def _follow(self, keep: float) -> None:
        """Moves the average towards the network; buffers, averages already, are copied."""
        torch._foreach_lerp_(list(self.average.parameters()), list(self.network.parameters()), 1 - keep)
        for average, current in zip(self.average.buffers(), self.network.buffers(), strict=True):
            average.copy_(current)

    def run(self, seconds: float, save_every: float = 180, say_every: int = 100) -> None:
        """Trains until the budget is used up, time before an interruption included; stopped by a signal it is saved."""
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            self._run(seconds, save_every, say_every)
        except KeyboardInterrupt:
            self.save()
            raise
        finally:
            signal.signal(signal.SIGTERM, before)
        self.save()

    def _run(self, seconds: float, save_every: float, say_every: int) -> None:
        begun, first_seen = time.monotonic(), self.progress.seen
        started = begun - self.progress.seconds
        saved, smooth = self.progress.seconds, torch.zeros((), device=self.device)
        while self.progress.seconds < seconds:
            loss = self.step(self.progress.seconds / seconds)
            smooth = torch.where(smooth == 0, loss, 0.98 * smooth + 0.02 * loss)
            self.progress.seconds = time.monotonic() - started
            if self.progress.step % say_every == 0:
                value = smooth.item()
                pace = (self.progress.seen - first_seen) / (time.monotonic() - begun)
                logger.info("step %d, %.0f images a second, loss %.4f", self.progress.step, pace, value)
            if self.progress.seconds - saved > save_every:
                self.save()
                saved = self.progress.seconds
