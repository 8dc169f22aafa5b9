"""UNets with cross-attention (SD1.x, SD2.x, SDXL): attention replaced late, around whatever other packs put there.

Nothing is registered before the model runs, so the order among packs does not matter, the user's attention backend and
its override stay in use, and a model without our annotations runs exactly as before.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import comfy.ldm.modules.attention as host_attention
import torch
from torch import Tensor

from ....hrv_engine.attention.downsampling import level_size
from ....hrv_engine.attention.heads import CROSS, SELF, AttentionSite, HeadLayout, SiteKey
from ....hrv_engine.errors import HRVError
from ..calls import AttentionCall, ModelCall, Receiver, received
from ..receipt import owner
from .unet_layers import cross_attentions, downsampling, head_layout

REPLACES = {CROSS: "attn2", SELF: "attn1"}
MASKS = ("mask", "regional")  # parts of names of options with which foreign blocks mask their attention


class UNet:
    """The host's UNet: sites are its `attn2`, self-attention of the same key has the same heads."""

    name = "UNet"
    needs_sound = False
    batches = True

    def refuses_references(self, module: Any) -> str:
        return (
            "Its cross-attention has the prompt's tokens alone. The weight of an IP-Adapter or a ControlNet is set in"
            " their own nodes."
        )

    def recognises(self, module: Any) -> bool:
        return next(cross_attentions(module), None) is not None

    def sites(self, module: Any) -> HeadLayout:
        return head_layout(module)

    def downsampling(self, module: Any) -> Mapping[SiteKey, int]:
        return downsampling(module)

    def token_columns(self, length: int, tokens: int, columns: Collection[int]) -> list[int]:
        """A context shorter than its neighbours is repeated, so j is also j + T, j + 2T."""
        return [column + copy * tokens for copy in range(max(1, length // tokens)) for column in columns]

    def image_grid(self, module: Any, pixels: int, latent: Sequence[int]) -> tuple[int, int, int]:
        return (1, *level_size(pixels, *latent[-2:]))

    def words_need_runs(self, module: Any) -> bool:
        return False

    def words_ride(self, module: Any) -> bool:
        return False

    def project_words(self, module: Any, site: SiteKey, embeddings: Tensor) -> Tensor:
        return dict(cross_attentions(module))[site].to_k(embeddings[None])[0]

    def key_weights(self, module: Any) -> Iterator[tuple[SiteKey, Tensor]]:
        for key, attention in cross_attentions(module):
            yield key, attention.to_k.weight

    @contextmanager
    def around(self, call: ModelCall) -> Iterator[dict[str, Any]]:
        """A copy of transformer_options in which the receivers act; the host's own precedence of keys is kept."""
        options = dict(call.options)
        _check_blocks(call.module, options)
        replacements = dict(options.get("patches_replace", {}))
        for role, kind in REPLACES.items():
            there = dict(replacements.get(kind, {}))
            for site in call.layout.sites:
                here = [one for one in call.receivers if one.role == role and _at(one, site.key)]
                if here:
                    theirs = there.get(site.key, there.get(site.key[:2]))
                    there[site.key] = _replacement(call, site, role, theirs, here)
            if there:
                replacements[kind] = there
        options["patches_replace"] = replacements
        yield options


FAMILY = UNet()


def _at(receiver: Receiver, key: SiteKey) -> bool:
    return receiver.sites is None or key in receiver.sites


def _replacement(
    call: ModelCall, site: AttentionSite, role: str, theirs: Callable | None, here: list[Receiver]
) -> Callable:
    """A replacement of the host's kind, f(q, k, v, options) with q, k, v [batch tokens heads*dim]."""

    def replace(query: Tensor, key: Tensor, value: Tensor, options: dict[str, Any]) -> Tensor:
        call.check_rows(query.shape[0])
        before = value

        def go_on(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
            if theirs is not None:
                if role == CROSS:
                    _check_listens(call, theirs, before, (query, key, value), options)
                return theirs(query, key, value, options)
            return host_attention.optimized_attention(
                query, key, value, site.heads, attn_precision=options.get("attn_precision"), transformer_options=options
            )

        parts = (query, key, value)
        asked = AttentionCall(site, call.batch, parts, go_on, options, stock_next=theirs is None)
        return received(here, asked, call.step)

    return replace


def _check_listens(
    call: ModelCall, theirs: Callable, before: Tensor, parts: tuple[Tensor, Tensor, Tensor], options: dict[str, Any]
) -> None:
    """Raise HRVError for a foreign replacement that takes no notice of the values HRV nodes changed; asked once a run.

    before: the values as they came, parts: query, key and value as they are now, all [batch tokens heads*dim].
    """
    query, key, value = parts
    if value is before or ("listens", owner(theirs)) in call.run.cache:
        return
    rows = (value != before).flatten(1).any(dim=1)
    if not rows.any():
        return
    call.run.cache["listens", owner(theirs)] = True
    with torch.no_grad():
        same = theirs(query, key, value + 1, options) == theirs(query, key, value, options)
    if (same.flatten(1).all(dim=1) & rows).any():
        raise HRVError(
            f"Another node replaces cross-attention with keys and values of its own ({owner(theirs)}), so what HRV"
            " nodes do to a prompt has no effect there. Take that node off this MODEL (for regions, core's"
            " Conditioning (Set Area) and (Set Mask) do work), or take the HRV node away."
        )


def _check_blocks(module: Any, options: dict[str, Any]) -> None:
    """Raise HRVError for foreign transformer blocks with a mask: they drop it where attention is replaced."""
    masks = [name for name, value in options.items() if _is_mask(name, value)]
    if not masks:
        return
    for layer in module.modules():
        layer = getattr(layer, "_orig_mod", layer)  # of a compiled one
        if hasattr(layer, "attn2") and hasattr(layer, "attn1"):
            home = type(layer).__module__
            if not home.startswith("comfy."):
                raise HRVError(
                    f"The transformer blocks of this model were exchanged by another node ({type(layer).__name__} of"
                    f" {home.rpartition('/')[2]}), which masks its attention ({', '.join(masks)}) and drops the mask"
                    " wherever attention is replaced, as HRV nodes must. Use core's Conditioning (Set Mask) for"
                    " regions, or take the regional node or the HRV node away."
                )
            return


def _is_mask(name: str, value: Any) -> bool:
    """Whether an option holds a mask; a number beside it (its weight) is there without one too."""
    named = any(part in name.casefold() for part in MASKS) and not name.startswith("hrv")
    return named and value is not None and not isinstance(value, int | float)
