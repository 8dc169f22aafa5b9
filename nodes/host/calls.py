"""One attention call as every control receives it, whatever the model, and one model call with its receivers."""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import comfy.ldm.modules.attention as host_attention
import torch
from torch import Tensor

from ...hrv_engine.attention.heads import CROSS, AttentionSite, HeadLayout, SiteKey
from ...hrv_engine.attention.values import join_heads, join_weights, scale_joined, split_heads
from ...hrv_engine.errors import HRVError
from .identity import BatchPlan
from .receipt import Receipt, owner
from .run import Run
from .word_rows import WordRows

Attend = Callable[[Tensor, Tensor, Tensor], Tensor]
TOKEN_PATCHES = ("attn1_patch", "attn2_patch", "middle_patch")  # kinds that may merge tokens
ATTENTION_PATCHES = ("attn1_patch", "attn2_patch", "input_block_patch")  # kinds that may change how many rows there are


class RowsApart(HRVError):
    """Fewer rows arrived in attention than the model was called with: a model that computes its rows one by one."""


class AttentionCall:
    """One attention call at a site: the image's queries, and the prompt's keys and values.

    query, key, value: [batch heads tokens dim]; the output of a call is [batch tokens heads*dim], or in transformers
    [batch heads tokens dim], which their controls hand on as it is. batch: whose rows these are. parts: the tensors as
    the model gave them, [batch tokens heads*dim] or if `split` [batch heads tokens dim]; viewed otherwise only when a
    control asks. prompt: which of their keys are the prompt's (first, one after the last), None for all; a joint site
    has the image's own keys too, which controls do not see. references: likewise, which of all keys are each reference
    image's, in the order the model joins them. mask: the host's, of the image's queries and all keys. stock_next:
    whether `proceed` is the host's attention and nothing else, so that it takes any number of rows. words: keys [batch
    heads rows dim] of word rows that ride in the call.
    """

    __slots__ = (
        "batch", "go_on", "mask", "options", "parts", "prompt", "references", "site", "split", "stock_next", "words",
    )  # fmt: skip

    def __init__(
        self, site: AttentionSite, batch: BatchPlan, parts: tuple[Tensor, Tensor, Tensor], go_on: Attend,
        options: dict[str, Any], split: bool = False, prompt: tuple[int, int] | None = None,
        references: tuple[tuple[int, int], ...] = (), mask: Tensor | None = None, stock_next: bool = False,
        words: Tensor | None = None,
    ) -> None:  # fmt: skip
        self.stock_next = stock_next
        self.site, self.batch, self.parts, self.go_on = site, batch, parts, go_on
        self.options, self.split, self.prompt, self.references, self.mask = options, split, prompt, references, mask
        self.words = words

    @property
    def query(self) -> Tensor:
        """[batch heads pixels dim]."""
        return self._by_head(self.parts[0])

    @property
    def key(self) -> Tensor:
        """[batch heads tokens dim]."""
        return self._by_head(self._own(self.parts[1]))

    @property
    def value(self) -> Tensor:
        """[batch heads tokens dim]."""
        return self._by_head(self._own(self.parts[2]))

    @property
    def joined(self) -> tuple[Tensor, Tensor, Tensor]:
        """Query, key and value, each [batch tokens heads*dim]."""
        query, key, value = self.parts[0], self._own(self.parts[1]), self._own(self.parts[2])
        return (join_heads(query), join_heads(key), join_heads(value)) if self.split else (query, key, value)

    def mask_of(self, rows: Sequence[int]) -> Tensor | None:
        """The mask of some rows over the prompt's keys, [rows or 1, heads or 1, pixels or 1, tokens], as the host's."""
        if self.mask is None:
            return None
        mask = self.mask[None, None] if self.mask.ndim < 3 else self.mask[:, None] if self.mask.ndim == 3 else self.mask
        mask = mask if self.prompt is None else mask[..., slice(*self.prompt)]
        return mask[list(rows)] if mask.shape[0] == self.batch.size > 1 else mask

    @property
    def pixels(self) -> int:
        """How many queries there are."""
        return self.parts[0].shape[self._axis]

    @property
    def tokens(self) -> int:
        """How many keys of the prompt there are."""
        return self.prompt[1] - self.prompt[0] if self.prompt else self.parts[2].shape[self._axis]

    def proceed(self) -> Tensor:
        """The attention that would have run, [batch tokens heads*dim]."""
        return self.go_on(*self.parts)

    def replaced(
        self, query: Tensor | None = None, key: Tensor | None = None, value: Tensor | None = None
    ) -> "AttentionCall":
        """The same call with other parts, each [batch heads tokens dim]."""
        join = (lambda part: part) if self.split else join_heads
        return self._with(*(None if part is None else join(part) for part in (query, key, value)))

    def with_joined(self, *joined: Tensor) -> "AttentionCall":
        """The same call with other parts, each [batch tokens heads*dim]."""
        return self._with(*map(self._split, joined) if self.split else joined)

    def ready(self, weights: Tensor) -> Tensor:
        """W [batch tokens heads] made ready for `scaled`, for calls whose values have this shape, type and layout."""
        value = self.parts[2]
        if self.prompt:
            every = weights.new_ones(weights.shape[0], value.shape[self._axis], weights.shape[2])
            every[:, slice(*self.prompt)] = weights
            weights = every
        return self._laid_out(weights)

    def ready_for_references(self, factors: Tensor) -> Tensor:
        """The same of factors [batch images heads]: those of image j at its keys, 1 elsewhere."""
        every = factors.new_ones(factors.shape[0], self.parts[2].shape[self._axis], factors.shape[2])
        for (first, end), of_image in zip(self.references, factors.unbind(1), strict=True):
            every[:, first:end] = of_image[:, None]
        return self._laid_out(every)

    def _laid_out(self, weights: Tensor) -> Tensor:
        """W [batch keys heads] as values are."""
        value = self.parts[2]
        weights = weights.to(value.device)
        return weights.to(value.dtype).transpose(1, 2)[..., None] if self.split else join_weights(weights, value)

    def scaled(self, weights: Tensor) -> "AttentionCall":
        """The same call with W[h] V[h] for V[h], with weights from `ready`."""
        query, key, value = self.parts
        return self.taking(query, key, value * weights if self.split else scale_joined(value, weights))

    def taking(self, query: Tensor, key: Tensor, value: Tensor, go_on: Attend | None = None) -> "AttentionCall":
        """The same call with parts as the model holds them, all keys of a joint site included."""
        parts = (query, key, value)
        return AttentionCall(
            self.site, self.batch, parts, go_on or self.go_on, self.options, self.split, self.prompt, self.references,
            self.mask, self.stock_next and go_on is None, self.words,
        )  # fmt: skip

    @property
    def _axis(self) -> int:
        return 2 if self.split else 1

    def _by_head(self, part: Tensor) -> Tensor:
        return part if self.split else self._split(part)

    def _split(self, part: Tensor) -> Tensor:
        return split_heads(part, self.site.heads)

    def _own(self, part: Tensor) -> Tensor:
        """What controls see of keys or values."""
        return part if self.prompt is None else part.narrow(self._axis, self.prompt[0], self.tokens)

    def _with(self, query: Tensor | None, key: Tensor | None, value: Tensor | None) -> "AttentionCall":
        own = self.parts
        return self.taking(
            own[0] if query is None else query,
            own[1] if key is None else self._whole(own[1], key),
            own[2] if value is None else self._whole(own[2], value),
        )

    def _whole(self, all_keys: Tensor, prompt: Tensor) -> Tensor:
        """Keys or values of all tokens with those of the prompt exchanged."""
        if self.prompt is None:
            return prompt
        (first, end), length = self.prompt, all_keys.shape[self._axis]
        before, after = all_keys.narrow(self._axis, 0, first), all_keys.narrow(self._axis, end, length - end)
        return torch.cat([before, prompt, after], dim=self._axis)

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
    [rows tokens channels]; inputs: what else it gets, by name; words: rows of concept words that ride beside its text.
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
    words: WordRows | None = None
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
            return received(rest, inner.taking(query, key, value), step)

        call = call.taking(*call.parts, go_on)
    return first.receive(call)
