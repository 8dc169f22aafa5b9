"""Late-bound cross-attention: wrap whatever attn2 replacements exist when the UNet runs, register nothing before.

So the order among packs does not matter, the user's attention backend and its override stay in use, and a model
without our tags runs exactly as before.
"""

from collections.abc import Callable
from typing import Any

import comfy.ldm.modules.attention as host_attention
from torch import Tensor

from ...hrv_engine.heads import HeadLayout, HeadSlot

Continue = Callable[[Tensor, Tensor, Tensor], Tensor]
Around = Callable[[HeadSlot, Continue, Tensor, Tensor, Tensor], Tensor]


def around_cross_attention(transformer_options: dict[str, Any], layout: HeadLayout, around: Around) -> dict[str, Any]:
    """A copy of transformer_options in which `around(slot, go_on, q, k, v)` runs at every cross-attention layer.

    q, k, v: projected [batch n heads*dim]; `go_on(q, k, v)` is the replacement another pack put there, else the stock
    attention call with the user's backend and override; it returns [batch pixels heads*dim].
    """
    options = dict(transformer_options)
    replacements = dict(options.get("patches_replace", {}))
    cross = dict(replacements.get("attn2", {}))
    for slot in layout.slots:
        theirs = cross.get(slot.block, cross.get(slot.block[:2]))  # the host's own precedence
        cross[slot.block] = _replacement(slot, theirs, around)
    replacements["attn2"] = cross
    options["patches_replace"] = replacements
    return options


def _replacement(slot: HeadSlot, theirs: Callable | None, around: Around) -> Callable:
    def replace(query: Tensor, key: Tensor, value: Tensor, extra_options: dict[str, Any]) -> Tensor:
        def go_on(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            if theirs is not None:
                return theirs(q, k, v, extra_options)
            return host_attention.optimized_attention(
                q,
                k,
                v,
                slot.heads,
                attn_precision=extra_options.get("attn_precision"),
                transformer_options=extra_options,
            )

        return around(slot, go_on, query, key, value)

    return replace
