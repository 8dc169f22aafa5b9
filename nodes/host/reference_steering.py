"""Reference images at sampling time: annotations of conditionings -> their value rows, scaled for the image's queries.

    out[h] = M[h] (W[h] V[h]) for the image's queries, W[h] = r_h at the rows of a reference image and 1 elsewhere

Queries of the text and of the references themselves see V[h].
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...hrv_engine.attention.heads import SiteKey
from ...hrv_engine.errors import HRVError
from .calls import AttentionCall, ModelCall
from .control import Control, StepPlan, controlled
from .receipt import Receipt
from .references import ReferenceAnnotation, ReferenceScale
from .steps import in_window

Scales = tuple[ReferenceScale, ...]


class ReferenceSteering(Control):
    """Carries out the strengths that conditionings ask for their reference images."""

    key, name = ReferenceAnnotation.key, "HRV Reference Strength"

    def plan(self, step: StepPlan) -> dict[int, Scales]:
        """The active scales of every annotated conditioning."""
        sampling, plan = step.model.model_sampling, {}
        for planned, annotation in step.annotated(ReferenceAnnotation):
            active = tuple(s for s in annotation.scales if in_window(sampling, step.sigma, s.start, s.end))
            if active:
                plan[planned.number] = active
        return plan

    def act(self, call: ModelCall, actions: dict[int, Scales], receipt: Receipt) -> None:
        """Scale values by the product of the strengths of each image."""
        scaling = ReferenceScaling(call, actions)
        call.receive(receipt, scaling, sum(len(call.batch.rows(number)) for number in actions), scaling.sites)


def reference_steered(model: Any) -> Any:
    """A clone of MODEL that carries out the strengths of reference images its conditionings ask for."""
    return controlled(model, ReferenceSteering())


class ReferenceScaling:
    """Scales the values of reference images in one model call, for the rows of planned conditionings.

    sites: those with a head whose factor is not 1.
    """

    def __init__(self, call: ModelCall, plans: dict[int, Scales]) -> None:
        self.call, self.plans = call, plans
        scales = tuple((number, id(scale)) for number, active in plans.items() for scale in active)
        self.name = ("references", id(call.layout), call.batch, scales)
        self.sites = call.run.made(("sites", *self.name), self._sites)

    def __call__(self, call: AttentionCall) -> Tensor:
        """Scale, then go on with the attention that would have run."""
        count, value = len(call.references), call.parts[2]
        every = self.call.run.made((*self.name, count), lambda: self._factors(count))
        name = (*self.name, call.references, call.site.key, value.shape, value.dtype, value.device)
        heads = self.call.layout.head_range(call.site.key)
        return call.scaled(self.call.run.made(name, lambda: call.ready_for_references(every[..., heads]))).proceed()

    def _sites(self) -> frozenset[SiteKey]:
        layout = self.call.layout
        touched: np.ndarray = np.zeros(layout.total, bool)
        for active in self.plans.values():
            for scale in active:
                if scale.factors.size != layout.total:
                    raise HRVError(
                        f"The strength of a reference image was set for a model of {scale.factors.size} heads, and this"
                        f" one has {layout.total}. Connect the model you sample with to HRV Reference Strength."
                    )
                touched |= scale.factors != 1
        return frozenset(site.key for site in layout.sites if touched[layout.head_range(site.key)].any())

    def _factors(self, count: int) -> Tensor:
        """The factors float32 [batch images heads] of `count` reference images, on the CPU."""
        if not count:
            raise HRVError(
                f"{self.call.family.name} got no rows of reference images in this run, though its conditioning has"
                " reference latents: this model leaves them out. Krea 2 takes them only with a method: add Edit Model"
                " Reference Method. Else take HRV Reference Strength away."
            )
        factors = torch.ones(self.call.batch.size, count, self.call.layout.total)
        for number, active in self.plans.items():
            rows = torch.tensor(self.call.batch.rows(number))[:, None]
            for scale in active:
                factors[rows, scale.indices(count)] *= torch.from_numpy(scale.factors)
        return factors
