"""Steering at sampling time: tags on the positive conditioning -> a row plan -> scaled value rows."""

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from comfy.patcher_extension import WrappersMP
from torch import Tensor

from ...hrv_engine.attention.heads import AttentionSite, HeadLayout
from ...hrv_engine.attention.values import scale_values
from ...hrv_engine.relevance.rescale import HeadScale
from .attention import Continue, around_cross_attention
from .branch_control import BranchStep, with_branches
from .conditioning import KEY
from .rows import branch_positives, columns_in, in_window, negatives, planned_rows, step_of, tagged_positives, with_plan
from .unet import layout_of_unet
from .unet_call import UNetCall, with_options


@dataclass(frozen=True)
class RowPlan:
    """What happens to one conditioning's rows in this call: the scales now active, and its length before padding.

    branches: what its targets take from their source.
    """

    scales: tuple[HeadScale, ...]
    tokens: int
    branches: BranchStep | None = None


def steered(model: Any) -> Any:
    """A clone of MODEL that carries out the rescalings its conditionings ask for; doing it twice changes nothing."""
    clone = model.clone()
    clone.remove_wrappers_with_key(WrappersMP.CALC_COND_BATCH, KEY)
    clone.remove_wrappers_with_key(WrappersMP.DIFFUSION_MODEL, KEY)
    clone.add_wrapper_with_key(WrappersMP.CALC_COND_BATCH, KEY, plan_rows)
    clone.add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, KEY, with_options(scale_rows))
    return clone


def is_steered(model: Any) -> bool:
    """Whether a MODEL came out of `steered`."""
    return bool(model.get_wrappers(WrappersMP.DIFFUSION_MODEL, KEY))


def plan_rows(executor: Any, model: Any, conds: list, x_in: Tensor, timestep: Tensor, model_options: dict) -> Any:
    """CALC_COND_BATCH wrapper: note the active scales and branch edits of every tagged positive."""
    sigma, plan = float(timestep.max()), {}

    def active(scales: tuple[HeadScale, ...]) -> tuple[HeadScale, ...]:
        return tuple(scale for scale in scales if _active(scale, model.model_sampling, sigma))

    for key, tag, tokens in tagged_positives(conds, model_options):
        if scales := active(tag.scales):
            plan[key] = RowPlan(scales, tokens)
    for key, pair, tokens in branch_positives(conds, model_options):
        now = step_of(model_options, sigma)
        scales = active(pair.scales(tokens))
        branches = BranchStep.of(pair.edit, *now, conditional=True, watched=pair.blend is not None)
        if scales or branches:
            plan[key] = RowPlan(scales, tokens, branches)
        if branches := BranchStep.of(pair.edit, *now, conditional=False):
            plan |= dict.fromkeys(negatives(conds), RowPlan((), tokens, branches))
    return executor(model, conds, x_in, timestep, with_plan(model_options, KEY, plan))


def _active(scale: HeadScale, model_sampling: Any, sigma: float) -> bool:
    return not scale.neutral and in_window(model_sampling, sigma, scale.start, scale.end)


def scale_rows(call: UNetCall) -> dict[str, Any]:
    """Options of a UNet call that carry out the plan on its chunks, wherever they stand in the batch.

    Values are scaled first and then mixed, so that a rescaled word keeps its factors in an edited map.
    """
    options, rows = call.options, planned_rows(call.options, KEY, call.x.shape[0])
    if not rows:
        return options
    layout = layout_of_unet(call.unet)
    if branches := [(chunk, plan.branches) for chunk, plan in rows if plan.branches]:
        options = with_branches(options, layout, branches, call.x.shape)
    if scaled := [(chunk, plan) for chunk, plan in rows if plan.scales]:
        options = around_cross_attention(options, layout, ValueScaling(layout, scaled, call.x.shape[0]))
    return options


class ValueScaling:
    """Scales the values of one UNet call by W [batch tokens heads]: the product of a planned word's r, 1 elsewhere."""

    def __init__(self, layout: HeadLayout, rows: list[tuple[slice, RowPlan]], batch: int) -> None:
        self.layout, self.rows, self.batch = layout, rows, batch
        self._weights: dict[int, Tensor] = {}

    def __call__(self, site: AttentionSite, go_on: Continue, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Scale, then go on with the attention that would have run."""
        if value.shape[0] != self.batch:
            _warn_once(
                "Another node multiplies the batch inside attention (attention couple?); the HRV steering leaves such"
                " layers alone."
            )
            return go_on(query, key, value)
        weights = self._weights_like(value)[..., self.layout.head_range(site.key)]
        return go_on(query, key, scale_values(value, weights))

    def _weights_like(self, value: Tensor) -> Tensor:
        """W for values of this length, made once a call."""
        length = value.shape[1]
        if length not in self._weights:
            weights = torch.ones(self.batch, length, self.layout.total, device=value.device)
            for rows, plan in self.rows:
                for scale in plan.scales:
                    columns = columns_in(length, plan.tokens, scale.columns)
                    weights[rows, columns] *= _by_image(scale, rows.stop - rows.start).to(value.device)
            self._weights[length] = weights.to(value.dtype)
        return self._weights[length]


def _by_image(scale: HeadScale, images: int) -> Tensor:
    """The factors of each image of the batch [images or 1, 1, heads], taken in turn when the batch is larger."""
    factors = torch.from_numpy(np.atleast_2d(scale.factors))[:, None]
    return factors if len(factors) == 1 else factors[torch.arange(images) % len(factors)]


_warned: set[str] = set()


def _warn_once(message: str) -> None:
    if message not in _warned:
        _warned.add(message)
        logging.getLogger(__name__).warning(message)
