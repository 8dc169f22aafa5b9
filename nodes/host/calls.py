"""One attention call as every control receives it, whatever the model, and one model call with its receivers."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import comfy.ldm.modules.attention as host_attention
from torch import Tensor

from ...hrv_engine.attention.heads import CROSS, AttentionSite, HeadLayout, SiteKey
from ...hrv_engine.attention.values import join_heads, split_heads
from ...hrv_engine.errors import HRVError
from .identity import BatchPlan
from .receipt import Receipt, owner
from .run import Run

Attend = Callable[[Tensor, Tensor, Tensor], Tensor]
TOKEN_PATCHES = ("attn1_patch", "attn2_patch", "middle_patch")  # kinds that may merge tokens
ATTENTION_PATCHES = ("attn1_patch", "attn2_patch", "input_block_patch")  # kinds that may change how many rows there are


class RowsApart(HRVError):
    """Fewer rows arrived in attention than the model was called with: a model that computes its rows one by one."""


class AttentionCall:
    """One attention call at a site.

    query, key, value: [batch heads tokens dim]; the output of a call is [batch tokens heads*dim]. batch: whose rows
    these are. Tensors are kept as the model gave them ([batch tokens heads*dim]) and viewed when a control asks.
    """

    __slots__ = ("batch", "go_on", "joined", "options", "site")

    def __init__(
        self,
        site: AttentionSite,
        batch: BatchPlan,
        joined: tuple[Tensor, Tensor, Tensor],
        go_on: Attend,
        options: dict[str, Any],
    ) -> None:
        self.site, self.batch, self.joined, self.go_on, self.options = site, batch, joined, go_on, options

    @property
    def query(self) -> Tensor:
        """[batch heads pixels dim]."""
        return split_heads(self.joined[0], self.site.heads)

    @property
    def key(self) -> Tensor:
        """[batch heads tokens dim]."""
        return split_heads(self.joined[1], self.site.heads)

    @property
    def value(self) -> Tensor:
        """[batch heads tokens dim]."""
        return split_heads(self.joined[2], self.site.heads)

    def proceed(self) -> Tensor:
        """The attention that would have run, [batch tokens heads*dim]."""
        return self.go_on(*self.joined)

    def replaced(
        self, query: Tensor | None = None, key: Tensor | None = None, value: Tensor | None = None
    ) -> "AttentionCall":
        """The same call with other parts, each [batch heads tokens dim]."""
        given = (query, key, value)
        joined = tuple(own if new is None else join_heads(new) for own, new in zip(self.joined, given, strict=True))
        return AttentionCall(self.site, self.batch, joined, self.go_on, self.options)

    def with_joined(self, *joined: Tensor) -> "AttentionCall":
        """The same call with other parts as the model holds them, [batch tokens heads*dim]."""
        return AttentionCall(self.site, self.batch, joined, self.go_on, self.options)

    def stock(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """The host's attention with the user's backend and override, on any rows [rows tokens heads*dim]."""
        return host_attention.optimized_attention(
            query, key, value, self.site.heads, attn_precision=self.options.get("attn_precision"),
            transformer_options=self.options,
        )  # fmt: skip

    def grid(self, call: "ModelCall") -> tuple[int, int]:
        """(height, width) of this site's maps; raises HRVError where queries are no grid of pixels (merged tokens)."""
        pixels, shape = self.joined[0].shape[1], self.options.get("activations_shape")
        try:
            grid = tuple(shape[-2:]) if shape is not None else call.family.image_grid(pixels, *call.x.shape[-2:])
        except ValueError:
            grid = (0, 0)
        if grid[0] * grid[1] != pixels:
            patches = self.options.get("patches") or call.options.get("patches", {})
            names = [owner(patch) for kind in TOKEN_PATCHES for patch in patches.get(kind, [])]
            raise HRVError(
                f"Another node merges or cuts the pixels in attention ({', '.join(filter(None, names)) or '?'}):"
                f" {pixels} queries where a map of {grid[0]} x {grid[1]} is expected, another choice in every row, so"
                " that HRV nodes cannot tell which query is which pixel. Take ToMe, HyperTile or the like off this"
                " MODEL, or take the HRV node away."
            )
        return grid


@dataclass(frozen=True)
class Receiver:
    """What a control does at some sites of one model call: `receive(call)` returns the output of the attention.

    sites: None for all sites of the role; rows: how many rows of the call it acts on, for the receipt.
    """

    receive: Callable[[AttentionCall], Tensor]
    receipt: Receipt
    rows: int
    sites: Collection[SiteKey] | None = None
    role: str = CROSS


@dataclass
class ModelCall:
    """One call of the model: x [rows channels height width] before scaling, whose rows they are, and its options.

    options: transformer_options of this call, which controls may add patches to.
    """

    x: Tensor
    batch: BatchPlan
    family: Any
    layout: HeadLayout
    module: Any
    options: dict[str, Any]
    step: int
    run: Run
    receivers: list[Receiver] = field(default_factory=list)
    acted: bool = False

    def receive(
        self, receipt: Receipt, receive: Callable[[AttentionCall], Tensor], rows: int,
        sites: Collection[SiteKey] | None = None, role: str = CROSS,
    ) -> None:  # fmt: skip
        """Let `receive(call)` give the output of some sites (None: all), inside the receivers that are there."""
        self.receivers.append(Receiver(receive, receipt, rows, sites, role))
        receipt.expect(self.layout.keys if sites is None else sites)
        self.acted = True

    def add_patch(self, name: str, patch: Any) -> None:
        """Put a patch of the host's kind `name` before those that are there, for this call."""
        patches = dict(self.options.get("patches", {}))
        patches[name] = [patch, *patches.get(name, [])]
        self.options["patches"] = patches
        self.acted = True

    def check_rows(self, rows: int) -> None:
        """Raise HRVError where attention gets other rows than the model was called with; RowsApart for fewer."""
        if rows == self.batch.size:
            return
        patches = self.options.get("patches", {})
        names = dict.fromkeys(owner(patch) for kind in ATTENTION_PATCHES for patch in patches.get(kind, []))
        who = ", ".join(filter(None, names)) or owner(self.module)
        raise (RowsApart if rows < self.batch.size else HRVError)(
            f"Another node turns the {self.batch.size} rows of a model call into {rows} inside attention ({who}), so"
            " that no row says any more which prompt and image it is, and HRV nodes would act on the wrong ones. Take"
            " that node off this MODEL (for regions, core's Conditioning (Set Area) and (Set Mask) do work), or take"
            " the HRV node away."
        )


def received(receivers: Sequence[Receiver], call: AttentionCall, step: int) -> Tensor:
    """Let receivers act on a call, the first outermost, and note it in their receipts."""
    if not receivers:
        return call.proceed()
    first, rest = receivers[0], receivers[1:]
    first.receipt.act(step, call.site.key, first.rows)
    if rest:
        inner = call.go_on

        def go_on(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
            joined = (query, key, value)
            return received(rest, AttentionCall(call.site, call.batch, joined, inner, call.options), step)

        call = AttentionCall(call.site, call.batch, call.joined, go_on, call.options)
    return first.receive(call)
