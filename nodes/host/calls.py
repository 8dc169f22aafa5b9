"""One attention call as every control receives it, whatever the model, and one model call with its receivers."""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import comfy.ldm.modules.attention as host_attention
from torch import Tensor

from ...hrv_engine.attention.heads import CROSS, AttentionSite, HeadLayout, SiteKey
from ...hrv_engine.attention.values import join_heads, join_weights, scale_joined, split_heads
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
    """One attention call at a site: the image's queries, and the prompt's keys and values.

    query, key, value: [batch heads tokens dim]; the output of a call is [batch tokens heads*dim]. batch: whose rows
    these are. parts: the tensors as the model gave them, [batch tokens heads*dim] or if `split` [batch heads tokens
    dim]; viewed otherwise only when a control asks. At a joint site the image's own keys are there too, unseen by
    controls: `go_on` adds them.
    """

    __slots__ = ("batch", "go_on", "options", "parts", "site", "split")

    def __init__(
        self,
        site: AttentionSite,
        batch: BatchPlan,
        parts: tuple[Tensor, Tensor, Tensor],
        go_on: Attend,
        options: dict[str, Any],
        split: bool = False,
    ) -> None:
        self.site, self.batch, self.parts, self.go_on = site, batch, parts, go_on
        self.options, self.split = options, split

    @property
    def query(self) -> Tensor:
        """[batch heads pixels dim]."""
        return self.parts[0] if self.split else split_heads(self.parts[0], self.site.heads)

    @property
    def key(self) -> Tensor:
        """[batch heads tokens dim]."""
        return self.parts[1] if self.split else split_heads(self.parts[1], self.site.heads)

    @property
    def value(self) -> Tensor:
        """[batch heads tokens dim]."""
        return self.parts[2] if self.split else split_heads(self.parts[2], self.site.heads)

    @property
    def joined(self) -> tuple[Tensor, Tensor, Tensor]:
        """Query, key and value, each [batch tokens heads*dim]."""
        if not self.split:
            return self.parts
        query, key, value = self.parts
        return join_heads(query), join_heads(key), join_heads(value)

    @property
    def pixels(self) -> int:
        """How many queries there are."""
        return self.parts[0].shape[2 if self.split else 1]

    @property
    def tokens(self) -> int:
        """How many keys of the prompt there are."""
        return self.parts[2].shape[2 if self.split else 1]

    def proceed(self) -> Tensor:
        """The attention that would have run, [batch tokens heads*dim]."""
        return self.go_on(*self.parts)

    def replaced(
        self, query: Tensor | None = None, key: Tensor | None = None, value: Tensor | None = None
    ) -> "AttentionCall":
        """The same call with other parts, each [batch heads tokens dim]."""
        join = (lambda part: part) if self.split else join_heads
        given = (None if part is None else join(part) for part in (query, key, value))
        return self._with(*(own if new is None else new for own, new in zip(self.parts, given, strict=True)))

    def with_joined(self, *joined: Tensor) -> "AttentionCall":
        """The same call with other parts, each [batch tokens heads*dim]."""
        return self._with(*(split_heads(part, self.site.heads) for part in joined) if self.split else joined)

    def ready(self, weights: Tensor) -> Tensor:
        """W [batch tokens heads] made ready for `scaled`, for calls whose values have this shape, type and layout."""
        value = self.parts[2]
        if self.split:
            return weights.to(value.dtype).transpose(1, 2)[..., None]
        return join_weights(weights, value)

    def scaled(self, weights: Tensor) -> "AttentionCall":
        """The same call with W[h] V[h] for V[h], with weights from `ready`."""
        query, key, value = self.parts
        return self._with(query, key, value * weights if self.split else scale_joined(value, weights))

    def continued(self, go_on: Attend) -> "AttentionCall":
        """The same call with another attention to go on with, which takes parts as they are here."""
        return AttentionCall(self.site, self.batch, self.parts, go_on, self.options, self.split)

    def _with(self, *parts: Tensor) -> "AttentionCall":
        query, key, value = parts
        return AttentionCall(self.site, self.batch, (query, key, value), self.go_on, self.options, self.split)

    def stock(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """The host's attention with the user's backend and override, on any rows [rows tokens heads*dim]."""
        return host_attention.optimized_attention(
            query, key, value, self.site.heads, attn_precision=self.options.get("attn_precision"),
            transformer_options=self.options,
        )  # fmt: skip

    def grid(self, call: "ModelCall") -> tuple[int, int]:
        """(height, width) of this site's maps; raises HRVError where queries are no grid of pixels (merged tokens).

        Raises it for the maps of a video too: they are `frames` x height x width.
        """
        frames, height, width = self.volume(call)
        if frames > 1:
            raise HRVError(
                f"These maps are those of a video ({frames} frames of {height} x {width}), and what was asked for is"
                " defined for one image. Use a latent of one frame, or a node that says it works on videos."
            )
        return height, width

    def volume(self, call: "ModelCall") -> tuple[int, int, int]:
        """(frames, height, width) of this site's maps; raises HRVError as `grid` does."""
        pixels, shape = self.pixels, self.options.get("activations_shape")
        try:
            grid = (1, *shape[-2:]) if shape is not None else call.family.image_grid(call.module, pixels, call.latent)
        except ValueError:
            grid = (0, 0, 0)
        if math.prod(grid) != pixels:
            patches = self.options.get("patches") or call.options.get("patches", {})
            names = [owner(patch) for kind in TOKEN_PATCHES for patch in patches.get(kind, [])]
            raise HRVError(
                f"Another node merges or cuts the pixels in attention ({', '.join(filter(None, names)) or '?'}):"
                f" {pixels} queries where a map of {grid[1]} x {grid[2]} is expected, another choice in every row, so"
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
    """One call of the model: x [rows channels (frames) height width] before scaling, whose rows they are, its options.

    options: transformer_options of this call, which controls may add patches to. context: the text the model gets
    [rows tokens channels]; inputs: what else it gets, by name.
    """

    x: Tensor
    batch: BatchPlan
    family: Any
    layout: HeadLayout
    module: Any
    options: dict[str, Any]
    step: int
    run: Run
    context: Tensor | None = None
    inputs: dict[str, Any] = field(default_factory=dict)
    receivers: list[Receiver] = field(default_factory=list)
    acted: bool = False

    @property
    def latent(self) -> Sequence[int]:
        """The shape of the image's latent; where a model makes sound too, x holds both in a row."""
        return self.inputs["latent_shapes"][0] if self.inputs.get("latent_shapes") else self.x.shape

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
        inner = call

        def go_on(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
            changed = AttentionCall(
                inner.site, inner.batch, (query, key, value), inner.go_on, inner.options, inner.split
            )
            return received(rest, changed, step)

        call = inner.continued(go_on)
    return first.receive(call)
