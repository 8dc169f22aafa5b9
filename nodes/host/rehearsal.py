"""A rehearsal: a sampler's own code runs on a toy, with few numbers for a latent and a line of arithmetic for a model.

All else a sampler may look at is the real guider's: its model_sampling, its options, functions it adds for guidance.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import comfy.samplers
import torch
from torch import Tensor

Predict = Callable[[Tensor], tuple[Tensor, Tensor]]  # states -> the conditional and the unconditional prediction
NOTHING: list[dict] = [{}]  # conditionings of which a toy makes no use
SCALE = 2.0  # of guidance


@dataclass
class CallCounter:
    """Where a sampler is in its run: how many steps it has reported, and how often it called the model since."""

    step: int = 0
    calls: int = 0

    def called(self) -> tuple[int, int]:
        """Count a call: its step, and its number in the step from 1."""
        self.calls += 1
        return self.step, self.calls

    def finished(self, step: int) -> None:
        """Note that the sampler reported a step."""
        self.step, self.calls = step + 1, 0


@dataclass
class Rehearsal(CallCounter):
    """What a sampler did: the states it showed, call by call, and gave back at last; the step and number of each call.

    moves: every call moves a column of its own of the state it is shown, in place.
    """

    moves: bool = False
    states: list[Tensor] = field(default_factory=list)
    places: list[tuple[int, int]] = field(default_factory=list)

    def see(self, x: Tensor) -> None:
        """A call of the model."""
        if self.moves:
            x[..., len(self.states)] += 1
        self.states.append(x.clone())
        self.places.append(self.called())


def rehearse(
    sampler: Any,
    guider: Any,
    start: Tensor,
    sigmas: Tensor,
    predict: Predict,
    seed: int | None = 0,
    functions: dict[str, Any] | None = None,
    moves: bool = False,
) -> Rehearsal:
    """Run a SAMPLER from noise `start` over sigmas, with no trace in random numbers; it may raise whatever it likes.

    functions: model_options of which the functions of guidance are applied to the predictions.
    """
    rehearsal, sigmas = Rehearsal(moves=moves), sigmas.clone()
    options = {key: value for key, value in (functions or {}).items() if key.startswith("sampler_")}
    options["transformer_options"] = {"sample_sigmas": sigmas}
    arguments = {"model_options": options, "seed": seed}

    def reported(step: int, *_: Any) -> None:
        rehearsal.finished(step)

    with torch.no_grad(), random_numbers_apart(start.device):
        toy = ToyGuider(guider, predict, rehearsal)
        last = sampler.sample(toy, sigmas, arguments, reported, start.clone(), torch.zeros_like(start), None, True)
    rehearsal.states.append(last)
    return rehearsal


class ToyGuider:
    """A real guider but for its predictions, which a toy makes; the host's own code applies functions of guidance."""

    def __init__(self, guider: Any, predict: Predict, rehearsal: Rehearsal) -> None:
        self._guider, self._predict, self._rehearsal = guider, predict, rehearsal

    def __getattr__(self, name: str) -> Any:
        return getattr(self._guider, name)

    def __call__(self, x: Tensor, sigma: Tensor, model_options: dict | None = None, seed: int | None = None) -> Tensor:
        """The denoised states."""
        self._rehearsal.see(x)
        predictions = list(self._predict(x))
        options = {**(model_options or {}), "sampler_calc_cond_batch_function": lambda _: predictions}
        model = self._guider.inner_model
        return comfy.samplers.sampling_function(model, x, sigma, NOTHING, NOTHING, SCALE, options, seed)


@contextmanager
def random_numbers_apart(device: torch.device) -> Iterator[None]:
    """Inside, random numbers start at a seed of their own and change none of those that come after."""
    module = getattr(torch, device.type)
    kept = torch.default_generator.get_state()
    kept_there = module.get_rng_state() if hasattr(module, "get_rng_state") else None
    try:
        torch.default_generator.manual_seed(0)
        if kept_there is not None:
            module.manual_seed(0)
        yield
    finally:
        torch.default_generator.set_state(kept)
        if kept_there is not None:
            module.set_rng_state(kept_there)


@contextmanager
def with_options(sampler: Any, options: dict[str, Any]) -> Iterator[None]:
    """Inside, a SAMPLER has more extra options than its own."""
    own = getattr(sampler, "extra_options", {})
    if options:
        sampler.extra_options = {**own, **options}
    try:
        yield
    finally:
        if options:
            sampler.extra_options = own
