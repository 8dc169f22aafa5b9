"""The late override: a transformer's attention calls, taken at the sites of a family, around whatever is there.

The host asks `optimized_attention_override` for every attention call of a model. Ours is made for one model call and
wraps the override that is there by then, so no other node's is lost and none has to come in a certain order. A hook on
the layer's module says which site an attention call belongs to; calls outside such modules (refiners, text towers) and
other calls inside them pass through untouched.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ....hrv_engine.attention.heads import SELF
from ....hrv_engine.attention.values import join_heads, split_heads
from ....hrv_engine.errors import HRVError
from ..calls import AttentionCall, ModelCall, Receiver, received
from .layers import Layer, Segments

OVERRIDE = "optimized_attention_override"  # the host's key in transformer_options
POSITIONAL = ("mask", "attn_precision", "skip_reshape", "skip_output_reshape")  # of the host's attention, after heads
Where = Callable[[Layer, int, int, dict[str, Any]], Segments]


class Watch:
    """Which layer is running, and how many attention calls come before that of its site; None outside of sites."""

    def __init__(self) -> None:
        self.layer: Layer | None = None
        self.before = 0

    def enter(self, layer: Layer, *_: Any) -> None:
        """A hook: the module of a layer begins."""
        self.layer, self.before = layer, layer.before

    def leave(self, *_: Any) -> None:
        """A hook: the module is done, with or without the attention calls that were expected of it."""
        self.layer = None

    def take(self) -> Layer | None:
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
        return _Attention(call, taken, where, attend, arguments, named).output(acting[taken.site.key])

    with ExitStack() as undo:
        for one in layers:
            if acting[one.site.key]:
                undo.callback(one.module.register_forward_pre_hook(partial(watch.enter, one)).remove)
                undo.callback(one.module.register_forward_hook(watch.leave).remove)
        yield {**call.options, OVERRIDE: override}


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
        self, call: ModelCall, layer: Layer, where: Where, attend: Callable, arguments: Sequence[Any], named: dict
    ) -> None:
        self.call, self.site, self.attend = call, layer.site, attend
        self.query, self.key, self.value, *more = arguments
        heads = more[:1] or [named["heads"]]
        self.named = {**named, **dict(zip(POSITIONAL, more[1:], strict=False)), "heads": heads[0]}
        self.options = named.get("transformer_options") or call.options
        self.split = bool(self.named.get("skip_reshape"))
        self.query = self._joined(self.query)
        self.axis = 2 if self.split else 1
        call.check_rows(self.query.shape[0])
        self.segments = where(layer, self.query.shape[self.axis], self.key.shape[self.axis], self.options)

    def output(self, receivers: list[Receiver]) -> Tensor:
        """The output of the whole call: what receivers give for the image's queries, the rest as it would have been."""
        pixels, total = self.segments.image, self.query.shape[self.axis]
        start, stop, _ = pixels.indices(total)
        image = self._received(receivers, start, stop)
        if stop - start == total:
            return image
        before, after = self._untouched(0, start), self._untouched(stop, total)
        parts = [part for part in (before, image, after) if part is not None]
        return torch.cat(parts, dim=2 if self.named.get("skip_output_reshape") else 1)

    def _untouched(self, start: int, stop: int) -> Tensor | None:
        """The output of queries that are not the image's, None for none."""
        if stop <= start:
            return None
        return self._attend(self._cut(self.query, start, stop), self.key, self.value, start, stop)

    def _received(self, receivers: list[Receiver], start: int, stop: int) -> Tensor:
        key, value = (self._each_head(tensor) for tensor in (self.key, self.value))
        grouped, kept = self.key is not key, {}
        prompt = self.segments.prompt.indices(key.shape[self.axis])[:2]

        def go_on(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
            output = self._attend(query, keys, values, start, stop, grouped)
            if not self.named.get("skip_output_reshape"):
                return output
            joined = join_heads(output)
            kept[id(joined)] = joined, output  # its layout in memory decides how the model goes on, to the bit
            return joined

        parts = (self._cut(self.query, start, stop), key, value)
        whole = prompt == (0, key.shape[self.axis])
        asked = AttentionCall(
            self.site, self.call.batch, parts, go_on, self.options, self.split, None if whole else prompt,
            self.segments.references, self._mask(start, stop),
        )  # fmt: skip
        output = received(receivers, asked, self.call.step)
        if not self.named.get("skip_output_reshape"):
            return output
        return kept[id(output)][1] if id(output) in kept else split_heads(output, self.site.heads)

    def _attend(
        self, query: Tensor, key: Tensor, value: Tensor, start: int, stop: int, every_head: bool = False
    ) -> Tensor:
        """The attention of queries `start` to `stop`, with the user's backend and override."""
        named = dict(self.named)
        if named.get("mask") is not None:
            named["mask"] = self._mask(start, stop)
        if every_head:
            named.pop("enable_gqa", None)
        return self.attend(query, key, value, named.pop("heads"), **named)

    def _mask(self, start: int, stop: int) -> Tensor | None:
        """The mask of queries `start` to `stop`."""
        mask: Tensor | None = self.named.get("mask")
        if mask is not None and mask.ndim > 1 and mask.shape[-2] == self.query.shape[self.axis] > 1:
            return mask[..., start:stop, :]
        return mask

    def _cut(self, tensor: Tensor, start: int, stop: int) -> Tensor:
        whole = stop - start == tensor.shape[self.axis]
        return tensor if whole else tensor.narrow(self.axis, start, stop - start)

    def _joined(self, tensor: Tensor) -> Tensor:
        """[batch tokens heads dim], as some models hand it over, as [batch tokens heads*dim]."""
        return tensor.flatten(2) if tensor.ndim == 4 and not self.split else tensor

    def _each_head(self, tensor: Tensor) -> Tensor:
        """Keys or values of every query head: groups of heads share theirs in some models."""
        if not self.split:
            tensor = self._joined(tensor)
            groups = tensor.shape[-1] // self.site.head_dim
            if groups == self.site.heads:
                return tensor
            return join_heads(split_heads(tensor, groups).repeat_interleave(self.site.heads // groups, dim=1))
        groups = tensor.shape[1]
        return tensor if groups == self.site.heads else tensor.repeat_interleave(self.site.heads // groups, dim=1)
