"""The late override: a transformer's attention calls, taken at the sites of a family, around whatever is there.

The host asks `optimized_attention_override` for every attention call of a model. Ours is made for one model call and
wraps the override that is there by then, so no other node's is lost and none has to come in a certain order. A hook on
the layer's module says which site an attention call belongs to; calls outside such modules (refiners, text towers) and
other calls inside them pass through untouched. Where concept words ride in a call, they are taken apart first.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from ....hrv_engine.attention.heads import SELF
from ....hrv_engine.attention.values import join_heads, split_heads
from ....hrv_engine.errors import HRVError
from ..calls import AttentionCall, ModelCall, Receiver, received
from ._beside import Beside, Parts, by_head
from .layers import Layer, Segments, TextLayer

OVERRIDE = "optimized_attention_override"  # the host's key in transformer_options
POSITIONAL = ("heads", "mask", "attn_precision", "skip_reshape", "skip_output_reshape")  # of the host's, after q, k, v
Where = Callable[[Layer, int, int, dict[str, Any]], Segments]


class Watch:
    """Which layer is running, and how many attention calls come before that of its site; None outside of sites."""

    def __init__(self) -> None:
        self.layer: Layer | TextLayer | None = None
        self.before = 0

    def enter(self, layer: Layer | TextLayer, *_: Any) -> None:
        """A hook: the module of a layer begins."""
        self.layer, self.before = layer, layer.before

    def leave(self, *_: Any) -> None:
        """A hook: the module is done, with or without the attention calls that were expected of it."""
        self.layer = None

    def take(self) -> Layer | TextLayer | None:
        """The layer whose site an attention call is, if it is one; every site is taken once."""
        if self.layer is None:
            return None
        if self.before:
            self.before -= 1
            return None
        taken, self.layer = self.layer, None
        return taken


@contextmanager
def overridden(
    call: ModelCall, layers: Sequence[Layer], where: Where, theirs: Callable | None
) -> Iterator[dict[str, Any]]:
    """Options of a model call under which its receivers act at the sites of `layers`; the hooks go when it is over.

    where: of a layer, the numbers of queries and keys and the options of an attention call, where image and prompt are;
    theirs: the override to go on with.
    """
    _refuse_self_attention(call)
    watch = Watch()
    acting = {one.site.key: [r for r in call.receivers if r.sites is None or one.site.key in r.sites] for one in layers}

    def override(function: Callable, *arguments: Any, **named: Any) -> Tensor:
        attend = function if theirs is None else partial(theirs, function)
        taken = watch.take()
        if taken is None:
            return attend(*arguments, **named)
        query, key, value, *more = arguments
        named = {**named, **dict(zip(POSITIONAL, more, strict=False))}

        def others(parts: Parts, rest: dict[str, Any], words: Tensor | None = None) -> Tensor:
            if isinstance(taken, TextLayer):
                return attend(*parts, rest["heads"], **_without(rest, "heads"))
            return _Attention(call, taken, where, attend, parts, rest, words).output(acting[taken.site.key])

        if call.words is None:
            return others((query, key, value), named)
        beside = Beside(call.words, (query, key, value), named)
        if isinstance(taken, TextLayer):
            return beside.output(others)
        segments = where(taken, *beside.others, named.get("transformer_options") or call.options)
        return beside.output(others, *call.family.words_at(call, segments))

    watched: list[Layer | TextLayer] = [one for one in layers if acting[one.site.key] or call.words is not None]
    if call.words is not None:
        watched += map(TextLayer, call.family.text_layers(call.module))
    with ExitStack() as undo:
        for layer in watched:
            undo.callback(layer.module.register_forward_pre_hook(partial(watch.enter, layer)).remove)
            undo.callback(layer.module.register_forward_hook(watch.leave).remove)
        yield {**call.options, OVERRIDE: override}


def _without(named: dict[str, Any], *left_out: str) -> dict[str, Any]:
    return {name: value for name, value in named.items() if name not in left_out}


def _refuse_self_attention(call: ModelCall) -> None:
    for receiver in call.receivers:
        if receiver.role == SELF:
            raise HRVError(
                f"{receiver.receipt.name} exchanges self-attention, which is defined for UNets only and not for"
                f" {call.family.name}. Use an SD1.x, SD2.x or SDXL checkpoint, or switch its self-attention part off."
            )


class _Attention:
    """One attention call at a site, as the host made it: layout, mask and grouped heads are dealt with here."""

    def __init__(
        self, call: ModelCall, layer: Layer, where: Where, attend: Callable, parts: Parts, named: dict,
        words: Tensor | None = None,
    ) -> None:  # fmt: skip
        self.call, self.site, self.attend = call, layer.site, attend
        self.named = self.given_named = named
        self.options = named.get("transformer_options") or call.options
        self.split, self.skips = bool(named.get("skip_reshape")), bool(named.get("skip_output_reshape"))
        self.given = query, key, value = parts
        call.check_rows(query.shape[0])
        axis = 2 if self.split else 1
        self.total = query.shape[axis]
        self.segments = where(layer, self.total, key.shape[axis], self.options)
        self.start, self.stop, _ = self.segments.image.indices(self.total)
        self.apart = self.stop - self.start < self.total  # whether others than the image ask
        if not self.split:
            if self.apart:  # by head once, not in the call of every part
                query, key, value = (by_head(part, layer.site.head_dim) for part in parts)
                self.split, self.named = True, {**named, "skip_reshape": True}
            else:
                query, key, value = (part.flatten(2) if part.ndim == 4 else part for part in parts)
        self.query, self.key, self.value = query, key, value
        self.words = None if words is None else self._each_head(words)
        self.plain: tuple[Tensor, Tensor] | None = None  # the image's part of the output as it was, and the whole

    @property
    def axis(self) -> int:
        """That of the tokens."""
        return 2 if self.split else 1

    def output(self, receivers: list[Receiver]) -> Tensor:
        """The output of the whole call: what receivers give for the image's queries, the rest as it would have been."""
        edges = sorted({0, self.start, self.stop, self.total})
        sizes = [end - first for first, end in pairwise(edges)]
        queries = self.query.split(sizes, self.axis) if self.apart else (self.query,)
        image = self._received(receivers, queries[edges.index(self.start)])
        if self.plain is not None and image is self.plain[0]:
            return self.plain[1]
        outputs = [
            image if first == self.start else self._attend(query, self.key, self.value, first, end)
            for query, (first, end) in zip(queries, pairwise(edges), strict=True)
        ]
        return self._as_the_host_has_it(outputs)

    def _received(self, receivers: list[Receiver], image: Tensor) -> Tensor:
        key, value = (self._each_head(part) for part in (self.key, self.value))
        grouped, parts = key is not self.key, (image, key, value)
        prompt = self.segments.prompt.indices(key.shape[self.axis])[:2]

        def go_on(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
            if query is image and keys is key and values is value:
                return self._unchanged()
            return self._attend(query, keys, values, self.start, self.stop, grouped)

        whole = prompt == (0, key.shape[self.axis])
        asked = AttentionCall(
            self.site, self.call.batch, parts, go_on, self.options, self.split, None if whole else prompt,
            self.segments.references, self._mask(self.start, self.stop), words=self.words,
        )  # fmt: skip
        return received(receivers, asked, self.call.step)

    def _unchanged(self) -> Tensor:
        """The output of the image's queries where no receiver changes anything: a part of the host's own call."""
        whole = self.attend(*self.given, self.named["heads"], **_without(self.given_named, "heads"))
        image = whole.narrow(2 if self.skips else 1, self.start, self.stop - self.start) if self.apart else whole
        self.plain = image, whole
        return image

    def _attend(
        self, query: Tensor, key: Tensor, value: Tensor, start: int, stop: int, every_head: bool = False
    ) -> Tensor:
        """The attention of queries `start` to `stop`, with the user's backend and override; by head if `apart`."""
        named = _without(self.named, "heads", *(("enable_gqa",) if every_head else ()))
        if named.get("mask") is not None:
            named["mask"] = self._mask(start, stop)
        if self.apart:
            named["skip_output_reshape"] = True
        return self.attend(query, key, value, self.named["heads"], **named)

    def _as_the_host_has_it(self, outputs: list[Tensor]) -> Tensor:
        """The outputs of all queries as one, in the layout the host asked for."""
        if len(outputs) == 1:
            return outputs[0]
        by_head = [part if part.ndim == 4 else split_heads(part, self.site.heads) for part in outputs]
        whole = torch.cat(by_head, dim=2)
        return whole if self.skips else join_heads(whole)

    def _mask(self, start: int, stop: int) -> Tensor | None:
        """The mask of queries `start` to `stop`."""
        mask: Tensor | None = self.named.get("mask")
        if mask is not None and mask.ndim > 1 and mask.shape[-2] == self.total > 1:
            return mask[..., start:stop, :]
        return mask

    def _each_head(self, part: Tensor) -> Tensor:
        """Keys or values of every query head: groups of heads share theirs in some models."""
        heads, dim = self.site.heads, self.site.head_dim
        if self.split:
            return part if part.shape[1] == heads else part.repeat_interleave(heads // part.shape[1], dim=1)
        groups = part.shape[-1] // dim
        if groups == heads:
            return part
        return join_heads(by_head(part, dim).repeat_interleave(heads // groups, dim=1))
