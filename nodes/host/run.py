"""One run of a sampler: its schedule, its images, the receipts of controls, and what is made once a run."""

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor

from ...hrv_engine.attention.heads import HeadLayout
from .conditioning import Annotation
from .identity import is_its_own
from .receipt import Receipt
from .steps import step_of

RUN = "hrv_run"  # key in transformer_options
Made = TypeVar("Made")
Kind = TypeVar("Kind", bound=Annotation)


def annotated(conds: dict[str, list[dict]], kind: type[Kind]) -> list[tuple[str, dict, Kind]]:
    """(list, conditioning, annotation) of those of all lists with an annotation of a kind that is its own."""
    return [
        (name, cond, cond[kind.key])
        for name, group in conds.items()
        for cond in group or ()
        if isinstance(cond.get(kind.key), kind) and is_its_own(cond)
    ]


class Run:
    """Lives from the sampler's start to its end; cache holds what a run fixes (weights of plans, values, indices)."""

    def __init__(self, sigmas: Tensor, images: int, conds: dict[str, list[dict]]) -> None:
        self.whole: Callable[[], list[float]] = lambda: self.sigmas  # the schedule of which it may be a part
        self.by_call, self.predictions = False, 0  # whether every prediction is a step, and how many there were
        self.planned = 0  # how many model calls were planned
        self.beside: list[str] = []  # what else is on the model
        self.sigmas: list[float] = sigmas.tolist()
        self.images = images
        self.conds = conds
        self.receipts: dict[str, Receipt] = {}
        self.cache: dict[Any, Any] = {}

    @classmethod
    def outside(cls, timestep: Tensor, images: int) -> "Run":
        """For a call of the model with so many images outside any run: one step at its own noise level."""
        return cls(torch.stack([timestep.max().float().cpu(), torch.zeros(())]), images, {})

    @property
    def steps(self) -> int:
        """How many steps it has."""
        return len(self.sigmas) - 1

    def step_of(self, sigma: float) -> int:
        """The step of a noise level, from 0."""
        return step_of(self.sigmas, sigma)

    def place(self, sigma: float) -> tuple[int, int]:
        """(step, steps) of a noise level in the whole schedule of which the run may be a part.

        Windows in steps are counted so; under a sampler whose calls are its steps (PLMS) by predictions. Raises
        HRVError where the whole is unknown.
        """
        if self.by_call and self.predictions:
            return self.predictions - 1, self.steps + 1
        levels = self.made("whole schedule", self.whole)
        return step_of(levels, sigma), len(levels) - 1

    def annotated(self, kind: type[Kind]) -> list[tuple[str, Kind]]:
        """(list, annotation) of the conditionings of the run with an annotation of a kind."""
        return self.made(("annotated", kind), lambda: [(name, found) for name, _, found in annotated(self.conds, kind)])

    def receipt(self, key: str, name: str) -> Receipt:
        """The receipt of a control, begun when it is first asked for."""
        if key not in self.receipts:
            self.receipts[key] = Receipt(name)
            self.receipts[key].total_steps = self.steps
        return self.receipts[key]

    def layout_of(self, family: Any, module: Any) -> HeadLayout:
        """The layout of a module, discovered once a run."""
        return self.made(("layout", id(module)), lambda: family.sites(module))

    def made(self, key: Any, make: Callable[[], Made]) -> Made:
        """What `make` gives, made once a run."""
        if key not in self.cache:
            self.cache[key] = make()
        return self.cache[key]
