"""When and how far a latent moves down the gradient of a loss: steps, step sizes, refinement until a threshold."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import HRVError
from ..text.lists import listed

Evaluate = Callable[[Tensor], tuple[Tensor, Tensor]]  # latent -> (loss [images], gradient like the latent)
REFINEMENT = "0:.05, 10:.5, 20:.8"


@dataclass(frozen=True)
class Schedule:
    """The step rule of Attend-and-Excite (section 3); SynGen's is the case of no thresholds and a constant size.

    steps: how many sampling steps are altered; size and last: step sizes are size * sqrt(linspace(1, last, all steps));
    thresholds: step -> t, the loss must come down to 1 - t there; rounds: the most refinements in one step.
    """

    steps: int
    size: float = 20.0
    last: float = 0.5
    thresholds: tuple[tuple[int, float], ...] = ()
    rounds: int = 20

    @property
    def neutral(self) -> bool:
        """True when nothing would ever move."""
        return self.size == 0 or (self.steps <= 0 and (not self.thresholds or self.rounds <= 0))

    def acts(self, step: int) -> bool:
        """Whether anything is to be done before the prediction of this step (counted from 0)."""
        return step < self.steps or (self.rounds > 0 and step in dict(self.thresholds))

    def step_size(self, step: int, total: int) -> float:
        """The factor of the gradient in a run of `total` steps."""
        progress = step / (total - 1) if total > 1 else 0.0
        return self.size * (1 + (self.last - 1) * progress) ** 0.5


def descend(
    latent: Tensor, evaluate: Evaluate, schedule: Schedule, step: int, total: int, tick: Callable[[int], None]
) -> list[Tensor]:
    """Move a latent [images ...] in place as `schedule` says for this step; every image has its own loss and stop.

    Refinement goes on until the loss measured before a move is at most 1 - threshold, then the ordinary update follows;
    a loss of 0 moves nothing. `tick(round)` is called before each evaluation. Returns the losses [images] in order.
    """
    size, target = schedule.step_size(step, total), 1 - dict(schedule.thresholds).get(step, 0.0)
    tick(0)
    loss, gradient = evaluate(latent)
    losses = [loss]
    refining = (loss > target) if step in dict(schedule.thresholds) else torch.zeros_like(loss, dtype=torch.bool)
    for number in range(1, schedule.rounds + 1):
        if not refining.any():
            break
        _move(latent, size * gradient, refining & (loss != 0))
        refining = refining & (loss > target)
        tick(number)
        loss, gradient = evaluate(latent)
        losses.append(loss)
    if step < schedule.steps:
        _move(latent, size * gradient, loss != 0)
    return losses


def _move(latent: Tensor, distance: Tensor, images: Tensor) -> None:
    chosen = images.view(-1, *[1] * (latent.ndim - 1))
    latent.sub_(torch.where(chosen, distance, torch.zeros_like(distance)))


def parse_thresholds(text: str) -> tuple[tuple[int, float], ...]:
    """Steps and thresholds from "0:.05, 10:.5, 20:.8"; nothing gives none; raises HRVError for anything else."""
    thresholds: dict[int, float] = {}
    for part in listed(text):
        step, colon, value = part.partition(":")
        try:
            thresholds[int(step)] = float(value)
        except ValueError:
            thresholds[-1] = 0.0
        if not colon or min(thresholds) < 0 or not all(0 <= value <= 1 for value in thresholds.values()):
            raise HRVError(
                f'"{part[:60]}" is no threshold. Write step:value with a step from 0 and a value from 0 to 1, separated'
                f' by commas, e.g. "{REFINEMENT}", or nothing for no refinement.'
            )
    return tuple(sorted(thresholds.items()))
