"""Values of some words from another encoding: keys of the prompt as it is, values as its annotation says."""

from typing import Any

import torch
from torch import Tensor

from ...hrv_engine.errors import HRVError
from ...hrv_engine.guidance.phrase_values import LentValues
from .asked import LENDING
from .calls import ModelCall
from .conditioning import PairedPrompts, PromptAnnotation
from .control import Control, StepPlan, controlled
from .receipt import Receipt

Plan = dict[int, tuple[LentValues, int]]


class ValueLending(Control):
    """Exchanges the rows of the value context that a prompt's annotation names, before they are projected."""

    key, name = LENDING, "HRV Structured Diffusion"

    def plan(self, step: StepPlan) -> Plan:
        """Which conditionings carry values of their own, and the length of their context."""
        for _, pair in step.annotated(PairedPrompts):
            if any(annotation and annotation.values for annotation in pair.annotations):
                raise HRVError(
                    "A prompt of HRV Structured Diffusion is stacked with others in an edit, which reads values of its"
                    " own. Use one of the two nodes."
                )
        found = [(p, one.values) for p, one in step.annotated(PromptAnnotation) if one.values is not None]
        if any(p.cond["cross_attn"].shape[1] != p.tokens for p, _ in found):
            raise HRVError(
                "HRV Structured Diffusion exchanges rows of a prompt's context, but another node writes something else"
                " into it (NegPip writes keys and values by turns). Take that node off MODEL and CLIP, or leave"
                " HRV Structured Diffusion out."
            )
        return {p.number: (values, p.tokens) for p, values in found}

    def act(self, call: ModelCall, actions: Plan, receipt: Receipt) -> None:
        """A patch of the host's kind, first of all: what others make of the values comes after."""
        receipt.expect(call.layout.keys)
        call.add_patch("attn2_patch", _Lend(call, actions, receipt))


def with_own_values(model: Any) -> Any:
    """A clone of MODEL that makes prompts' values as their annotations say; doing it twice changes nothing."""
    return controlled(model, ValueLending())


class _Lend:
    """The value context of one model call with planned rows exchanged, made once."""

    def __init__(self, call: ModelCall, plan: Plan, receipt: Receipt) -> None:
        self.call, self.plan, self.receipt = call, plan, receipt
        self.rows = sum(len(call.batch.rows(number)) for number in plan)
        self.made: tuple[Tensor, Tensor] | None = None  # of a context, the one with lent rows

    def __call__(
        self, n: Tensor, keys: Tensor, values: Tensor, extra_options: dict[str, Any]
    ) -> tuple[Tensor, Tensor, Tensor]:
        self.call.check_rows(values.shape[0])
        self.receipt.act(self.call.step, (*extra_options["block"], extra_options["block_index"]), self.rows)
        if self.made is None or self.made[0] is not values:
            self.made = values, self._lent(values)
        return n, keys, self.made[1]

    def _lent(self, context: Tensor) -> Tensor:
        whole = context.clone()
        for number, (values, tokens) in self.plan.items():
            columns = self.call.family.token_columns(whole.shape[1], tokens, values.columns)
            rows = values.rows.to(whole).repeat(len(columns) // len(values.columns), 1)
            whole[torch.tensor(self.call.batch.rows(number))[:, None], columns] = rows
        return whole
