"""Steering at sampling time: tags on the positive conditioning -> a row plan -> scaled value rows."""

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from comfy.patcher_extension import WrappersMP
from torch import Tensor

from ...hrv_engine.attention import scale_values
from ...hrv_engine.heads import HeadLayout, HeadSlot
from ...hrv_engine.rescale import HeadScale
from .attention import Continue, around_cross_attention
from .conditioning import KEY
from .rows import columns_in, in_window, planned_rows, tagged_positives, with_plan
from .unet import layout_of_unet


@dataclass(frozen=True)
class RowPlan:
    """What happens to one conditioning's rows in this call: the scales now active, and its length before padding."""

    scales: tuple[HeadScale, ...]
    tokens: int


def steered(model: Any) -> Any:
    """A clone of MODEL that carries out the rescalings its conditionings ask for; doing it twice changes nothing."""
    clone = model.clone()
    clone.remove_wrappers_with_key(WrappersMP.CALC_COND_BATCH, KEY)
    clone.remove_wrappers_with_key(WrappersMP.DIFFUSION_MODEL, KEY)
    clone.add_wrapper_with_key(WrappersMP.CALC_COND_BATCH, KEY, plan_rows)
    clone.add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, KEY, scale_rows)
    return clone


def is_steered(model: Any) -> bool:
    """Whether a MODEL came out of `steered`."""
    return bool(model.get_wrappers(WrappersMP.DIFFUSION_MODEL, KEY))


def plan_rows(executor: Any, model: Any, conds: list, x_in: Tensor, timestep: Tensor, model_options: dict) -> Any:
    """CALC_COND_BATCH wrapper: note the active scales of every tagged positive."""
    sigma, plan = float(timestep.max()), {}
    for key, tag, tokens in tagged_positives(conds, model_options):
        scales = tuple(scale for scale in tag.scales if _active(scale, model.model_sampling, sigma))
        if scales:
            plan[key] = RowPlan(scales, tokens)
    return executor(model, conds, x_in, timestep, with_plan(model_options, KEY, plan))


def _active(scale: HeadScale, model_sampling: Any, sigma: float) -> bool:
    return not scale.neutral and in_window(model_sampling, sigma, scale.start, scale.end)


def scale_rows(
    executor: Any,
    x: Tensor,
    timesteps: Any = None,
    context: Any = None,
    y: Any = None,
    control: Any = None,
    transformer_options: dict | None = None,
    **kwargs: Any,
) -> Tensor:
    """DIFFUSION_MODEL wrapper: scale the value rows of planned chunks, wherever they stand in this call's batch."""
    options = transformer_options if transformer_options is not None else {}
    rows = planned_rows(options, KEY, x.shape[0])
    if rows:
        layout = layout_of_unet(executor.class_obj)
        options = around_cross_attention(options, layout, ValueScaling(layout, rows, x.shape[0]))
    return executor(x, timesteps, context, y, control, options, **kwargs)


class ValueScaling:
    """Scales the values of one UNet call by W [batch tokens heads]: the product of a planned word's r, 1 elsewhere."""

    def __init__(self, layout: HeadLayout, rows: list[tuple[slice, RowPlan]], batch: int) -> None:
        self.layout, self.rows, self.batch = layout, rows, batch
        self._weights: dict[int, Tensor] = {}

    def __call__(self, slot: HeadSlot, go_on: Continue, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Scale, then go on with the attention that would have run."""
        if value.shape[0] != self.batch:
            _warn_once(
                "Another node multiplies the batch inside attention (attention couple?); the HRV steering leaves such"
                " layers alone."
            )
            return go_on(query, key, value)
        weights = self._weights_like(value)[..., self.layout.head_range(slot.block)]
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
