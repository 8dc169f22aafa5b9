"""Guidance: a loss on a prompt's cross-attention maps, the heads it reads, and the steps in which it is descended."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from .descent import Schedule
from .readings import Reading


@dataclass(frozen=True, eq=False)
class Guidance:
    """What a prompt asks for: move the latent so that `loss` of the maps that `reading` takes falls, by `schedule`.

    loss: maps [sets images tokens height width] -> [images]; recompute: keep less for the gradient, at a third more
    time.
    """

    name: str
    loss: Callable[[Tensor], Tensor]
    reading: Reading
    schedule: Schedule
    recompute: bool = False
