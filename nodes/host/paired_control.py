"""Paired edits inside one model call: target rows compute with parts of their source row's attention."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from comfy.ldm.modules.diffusionmodules.openaimodel import ResBlock
from torch import Tensor

from ...hrv_engine.attention.heads import SELF
from ...hrv_engine.attention.values import join_weights, scale_joined
from ...hrv_engine.editing.paired_edit import Mixing
from ...hrv_engine.errors import HRVError
from .calls import AttentionCall, ModelCall
from .pair_rows import Pairing, PairStep
from .pair_run import PAIRS, BlendWatch
from .receipt import Receipt

Embed = Callable[..., Tensor]
FEATURES = "forward_timestep_embed_patch"


def act_on_pairs(call: ModelCall, steps: dict[int, PairStep], receipt: Receipt) -> None:
    """Add what carries out the edits of one model call."""
    pairings = [Pairing.of(call.batch, number, step) for number, step in steps.items()]
    run, control = call.options.get(PAIRS), None
    count = sum(len(pairing.rows) for pairing in pairings)
    if any(any(pairing.step.mixings) for pairing in pairings):
        control = CrossControl(call, pairings)
    if run is not None and run.prompts.blend is not None:
        for pairing in pairings:
            if pairing.step.conditional:
                watch = BlendWatch(run, pairing, call, control)
                call.receive(receipt, watch, count, run.prompts.blend.sites)
    if control is not None:
        call.receive(receipt, control, count)
    sites = {site for p in pairings for injection in p.step.injections for site in injection.sites}
    if sites:
        call.receive(receipt, SelfControl(pairings, call), count, frozenset(sites), SELF)
    if any(pairing.step.features for pairing in pairings):
        others = call.options.get("patches", {}).get(FEATURES, [])
        call.add_patch(FEATURES, (ResBlock, FeatureControl(call, pairings, others, receipt)))


@dataclass(frozen=True)
class Placed:
    """What edits every call of one length, type and device, as long as the same columns are edited.

    targets: rows that are edited; swapped: all rows, its source's in place of each target's; more: all rows, then the
    source of each target; mixing: W_s [targets tokens tokens]; kept: W_t [targets tokens heads], None where the targets
    keep nothing of their own maps.
    """

    targets: Tensor
    swapped: Tensor
    more: Tensor
    mixing: Tensor
    kept: Tensor | None


class CrossControl:
    """out_t = M_s (W_s V_t) + M_t (W_t V_t) in one attention call.

    M_s is computed in the target's own row if W_t is 0, and in a row more if not. So any attention backend may compute
    it: one softmax for two value sets would need values wider than keys, which few of them take.
    """

    def __init__(self, call: ModelCall, pairings: list[Pairing]) -> None:
        self.layout = call.layout
        self.edited: list[tuple[int, int, Mixing]] = [
            (source, target, mixing)
            for pairing in pairings
            for member, mixing in enumerate(pairing.step.mixings, start=1)
            if mixing is not None
            for source, target in zip(pairing.sources[member], pairing.targets[member], strict=True)
        ]
        name = [(source, target, id(mixing)) for source, target, mixing in self.edited]
        self.made: dict[Any, Any] = call.run.made(("edited maps", call.batch, call.layout), dict)
        if self.made.get("edited") != name:  # other columns are edited than in the call before
            self.made.clear()
            self.made["edited"] = name

    def __call__(self, call: AttentionCall) -> Tensor:
        """The output of all rows, edited where they are targets."""
        if not self.edited:
            return call.proceed()
        query, key, value = call.joined
        rows = self._placed(value)
        own = value.index_select(0, rows.targets)
        taken = rows.mixing @ own
        if rows.kept is None and call.stock_next:
            query, key = query.index_select(0, rows.swapped), key.index_select(0, rows.swapped)
            return call.with_joined(query, key, value.index_copy(0, rows.targets, taken)).proceed()
        own = torch.zeros_like(own) if rows.kept is None else scale_joined(own, self._of_site(call, rows.kept, own))
        value = value.index_copy(0, rows.targets, own)
        if call.stock_next:
            query, key = query.index_select(0, rows.more), key.index_select(0, rows.more)
            output = call.with_joined(query, key, torch.cat([value, taken])).proceed()
            output, from_source = output.split([len(value), len(taken)])
        else:
            sources = rows.more[len(value) :]
            output = call.with_joined(query, key, value).proceed()
            from_source = call.stock(query.index_select(0, sources), key.index_select(0, sources), taken)
        return output.index_add(0, rows.targets, from_source)

    def _placed(self, value: Tensor) -> Placed:
        """For values [rows tokens channels]; made once as long as the same columns are edited."""
        name = (*value.shape[:2], value.dtype, value.device)
        if name not in self.made:
            self.made[name] = self._place(value)
        return self.made[name]

    def _place(self, value: Tensor) -> Placed:
        count, length = value.shape[:2]
        sources, targets, mixings = zip(*self.edited, strict=True)
        swapped = list(range(count))
        for source, target in zip(sources, targets, strict=True):
            swapped[target] = source
        wide = value.new_zeros(len(targets), length, length)
        for number, mixing in enumerate(mixings):
            taken = _tiled(torch.from_numpy(mixing.source), length, 0.0)
            wide[number, :, : taken.shape[1]] = taken.to(wide)
        kept = torch.stack([_tiled(torch.from_numpy(mixing.target), length, 1.0) for mixing in mixings])
        orders = (list(targets), swapped, [*range(count), *sources])
        of_targets, as_sources, more = (torch.tensor(order, device=value.device) for order in orders)
        return Placed(of_targets, as_sources, more, wide, kept.to(value.device) if kept.any() else None)

    def _of_site(self, call: AttentionCall, kept: Tensor, own: Tensor) -> Tensor:
        """W_t of one site, made ready to scale values [targets tokens channels] with."""
        name = (call.site.key, own.shape, own.dtype, own.device)
        if name not in self.made:
            self.made[name] = join_weights(kept[..., self.layout.head_range(call.site.key)], own)
        return self.made[name]


class SelfControl:
    """The target rows of some sites attend with their source row's query and key, or key and value."""

    PARTS = ("query", "key", "value")

    def __init__(self, pairings: list[Pairing], model_call: ModelCall) -> None:
        self.pairings, self.model_call = pairings, model_call

    def __call__(self, call: AttentionCall) -> Tensor:
        """The attention that would have run, with the source's parts."""
        call.grid(self.model_call)  # merged tokens differ from row to row
        acting: dict[str, list[Pairing]] = {}
        for pairing in self.pairings:
            for injection in pairing.step.injections:
                if call.site.key in injection.sites:
                    for name in injection.take:
                        acting.setdefault(name, []).append(pairing)
        parts = [
            from_sources(part, acting[name], self.model_call) if name in acting else part
            for name, part in zip(self.PARTS, call.joined, strict=True)
        ]
        return call.with_joined(*parts).proceed()


def from_sources(tensor: Tensor, pairings: list[Pairing], call: ModelCall) -> Tensor:
    """A copy of [rows ...] in which the targets hold what their source holds."""
    rows = list(range(tensor.shape[0]))
    for pairing in pairings:
        for source, target in zip(pairing.all_sources, pairing.all_targets, strict=True):
            rows[target] = source
    name = ("rows", tuple(rows), tensor.device)
    return tensor.index_select(0, call.run.made(name, lambda: torch.tensor(rows, device=tensor.device)))


class FeatureControl:
    """A ResBlock whose target rows get their source row's residual branch, added to their own skip connection."""

    def __init__(
        self, call: ModelCall, pairings: list[Pairing], others: list[tuple[type, Embed]], receipt: Receipt
    ) -> None:
        self.call, self.pairings, self.others, self.receipt = call, pairings, others, receipt
        receipt.expect({feature.block for pairing in pairings for feature in pairing.step.features})

    def __call__(
        self, layer: Any, x: Tensor, emb: Tensor, context: Any, transformer_options: dict, *more: Any
    ) -> Tensor:
        """The block as it would have run, then the source's residual branch for the targets."""
        theirs = next((handler for kind, handler in self.others if isinstance(layer, kind)), None)
        output = layer(x, emb) if theirs is None else theirs(layer, x, emb, context, transformer_options, *more)
        for pairing in self.pairings:
            if any(feature.block == transformer_options["block"] for feature in pairing.step.features):
                self.call.check_rows(x.shape[0])
                self.receipt.act(self.call.step, transformer_options["block"], len(pairing.rows))
                skip, targets = layer.skip_connection(x), pairing.all_targets
                residual = from_sources(output - skip, [pairing], self.call)
                output = output.index_copy(0, torch.tensor(targets).to(output.device), (skip + residual)[targets])
        return output


def _tiled(tensor: Tensor, length: int, rest: float) -> Tensor:
    """Repeat [... tokens channels] along tokens up to `length`, as the host repeats a shorter context.

    rest: what stands for tokens that another node appended. Raises HRVError where there are fewer tokens.
    """
    tokens = tensor.shape[-2]
    if length < tokens:
        raise HRVError(
            f"Attention has {length} tokens where the prompts of this edit have {tokens}: another node changes the"
            " prompt inside the model (NegPip splits it into keys and values). Take that node off this MODEL, or edit"
            " without changed words (self-attention only)."
        )
    tiled = tensor.repeat(*[1] * (tensor.ndim - 2), length // tokens, 1)
    if tiled.shape[-2] == length:
        return tiled
    more = tiled.new_full((*tiled.shape[:-2], length - tiled.shape[-2], tiled.shape[-1]), rest)
    return torch.cat([tiled, more], dim=-2)
