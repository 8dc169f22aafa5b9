"""Steering at sampling time: annotations of conditionings -> a plan a step -> scaled value rows."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...hrv_engine.attention.heads import CROSS, HeadLayout, SiteKey
from ...hrv_engine.errors import HRVError
from ...hrv_engine.relevance.rescale import HeadScale
from .calls import AttentionCall, ModelCall
from .conditioning import KEY, PairedPrompts, PromptAnnotation
from .control import Control, StepPlan, controlled, controls_of
from .identity import UNKNOWN
from .pair_rows import PairStep, check_order
from .paired_control import act_on_pairs
from .receipt import Receipt
from .steps import in_window


@dataclass(frozen=True)
class RowPlan:
    """What happens to one conditioning's rows in this call: the scales now active, and its length before padding.

    pair: what its targets take from their source.
    """

    scales: tuple[HeadScale, ...]
    tokens: int
    pair: PairStep | None = None


class Steering(Control):
    """Carries out the rescalings and paired edits that conditionings ask for.

    Values are scaled first and then mixed, so that a rescaled word keeps its factors in an edited map.
    """

    key, name = KEY, "HRV steering"

    def plan(self, step: StepPlan) -> dict[int, RowPlan]:
        """The active scales and paired edits of every annotated conditioning, and edits of the negatives of pairs."""
        plan: dict[int, RowPlan] = {}
        for planned, annotation in step.annotated(PromptAnnotation):
            if scales := _active(annotation.scales, step):
                plan[planned.number] = RowPlan(scales, planned.tokens)
        for planned, pair in step.annotated(PairedPrompts):
            check_order(step.images_of(planned), pair.edit.size)
            stacked = step.run.made(("scales", id(pair), planned.tokens), partial(pair.scales, planned.tokens))
            scales = _active(stacked, step)
            edits = PairStep.of(pair.edit, *step.place, True, pair.blend is not None)
            if scales or edits:
                plan[planned.number] = RowPlan(scales, planned.tokens, edits)
        return plan | _unconditional(step)

    def act(self, call: ModelCall, actions: dict[int, RowPlan], receipt: Receipt) -> None:
        """Scale values by the product of the words' r, then let targets take from their sources."""
        scaled = {number: plan for number, plan in actions.items() if plan.scales}
        if scaled:
            scaling = ValueScaling(call, scaled)
            if scaling.sites:
                rows = sum(len(call.batch.rows(number)) for number in scaled)
                call.receive(receipt, scaling, rows, scaling.sites)
        pairs = {number: plan.pair for number, plan in actions.items() if plan.pair}
        if pairs:
            _check_edits(call)
            act_on_pairs(call, pairs, receipt)


def steered(model: Any) -> Any:
    """A clone of MODEL that carries out the rescalings its conditionings ask for; doing it twice changes nothing."""
    return controlled(model, Steering())


def is_steered(model: Any) -> bool:
    """Whether a MODEL came out of `steered`."""
    return KEY in controls_of(model.model_options.get("transformer_options", {}))


def _check_edits(call: ModelCall) -> None:
    """Raise HRVError for a paired edit on a model whose attention is not a UNet's."""
    if any(site.role != CROSS for site in call.layout.sites) or call.family.name != "UNet":
        raise HRVError(
            f"Edits of paired prompts are defined for a UNet's cross-attention and not for {call.family.name}. Use an"
            " SD1.x, SD2.x or SDXL checkpoint for HRV P2P Edit and the other edits; steering a word works here."
        )


def _unconditional(step: StepPlan) -> dict[int, RowPlan]:
    """Edits that also act on conditionings beside a pair: those of lists that hold no pair."""
    pairs = step.run.annotated(PairedPrompts)
    if not pairs:
        return {}
    beside = {group for group, _ in pairs}
    edits = PairStep.of(pairs[0][1].edit, *step.place, conditional=False)
    if edits is None:
        return {}
    return {
        planned.number: RowPlan((), planned.tokens, edits)
        for planned in step.conditionings
        if planned.group not in beside
    }


def _active(scales: tuple[HeadScale, ...], step: StepPlan) -> tuple[HeadScale, ...]:
    sampling = step.model.model_sampling
    return tuple(s for s in scales if not s.neutral and in_window(sampling, step.sigma, s.start, s.end))


class ValueScaling:
    """Scales the values of one model call by W [batch tokens heads]: the product of a planned word's r, 1 elsewhere.

    sites: those with a head whose factor is not 1.
    """

    def __init__(self, call: ModelCall, plans: dict[int, RowPlan]) -> None:
        self.call, self.plans = call, plans
        scales = tuple((number, id(scale)) for number, plan in plans.items() for scale in plan.scales)
        self.name = ("weights", id(call.layout), call.batch, scales)
        self.sites = call.run.made(("sites", *self.name), self._sites)

    def __call__(self, call: AttentionCall) -> Tensor:
        """Scale, then go on with the attention that would have run."""
        value = call.parts[2]
        name = (*self.name, call.site.key, call.tokens, value.dtype, value.device)
        return call.scaled(self.call.run.made(name, lambda: self._of_site(call))).proceed()

    def _sites(self) -> frozenset[SiteKey]:
        layout: HeadLayout = self.call.layout
        touched: np.ndarray = np.zeros(layout.total, bool)
        for plan in self.plans.values():
            for scale in plan.scales:
                if scale.factors.shape[-1] != layout.total:
                    raise HRVError(
                        f"A word of a prompt was steered for a model of {scale.factors.shape[-1]} heads, and the one"
                        f" that samples has {layout.total}. Connect the MODEL you sample with to the HRV node that"
                        " steers the word."
                    )
                touched |= (np.atleast_2d(scale.factors) != 1).any(axis=0)
        return frozenset(site.key for site in layout.sites if touched[layout.head_range(site.key)].any())

    def _of_site(self, call: AttentionCall) -> Tensor:
        """W of one site for values of this length, [batch tokens heads] made ready to scale values with."""
        every = self.call.run.made((*self.name, call.tokens), lambda: self._weights(call.tokens))
        return call.ready(every[..., self.call.layout.head_range(call.site.key)].to(call.parts[2].device))

    def _weights(self, length: int) -> Tensor:
        """W float32 [batch length heads] on the CPU."""
        batch, family = self.call.batch, self.call.family
        weights = torch.ones(batch.size, length, self.call.layout.total)
        for number, plan in self.plans.items():
            rows, images = list(batch.rows(number)), batch.images_of(number)
            for scale in plan.scales:
                columns = family.token_columns(length, plan.tokens, scale.columns)
                weights[torch.tensor(rows)[:, None], columns] *= _by_image(scale, images)
        return weights


def _by_image(scale: HeadScale, images: tuple[int, ...]) -> Tensor:
    """The factors of each image [images or 1, 1, heads]; rows of factors are taken in turn by image number."""
    factors = torch.from_numpy(np.atleast_2d(scale.factors))[:, None]
    if len(factors) == 1:
        return factors
    if UNKNOWN in images:
        raise HRVError(
            "Another node regroups the images of this batch and says no more which is which, but every image has"
            " factors of its own here (a sweep or a paired edit). Take the node that splits the batch off the MODEL."
        )
    return factors[torch.tensor(images) % len(factors)]
