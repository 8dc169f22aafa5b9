"""Late-bound attention: wrap whatever attention replacements exist when the UNet runs, register nothing before.

So the order among packs does not matter, the user's attention backend and its override stay in use, and a model
without our tags runs exactly as before.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import comfy.ldm.modules.attention as host_attention
from torch import Tensor

from ...hrv_engine.attention.heads import AttentionSite, HeadLayout, SiteKey

CROSS, SELF = "attn2", "attn1"


@dataclass(frozen=True)
class Continue:
    """The attention that would have run at a layer: `go_on(q, k, v)`, [batch n heads*dim] -> [batch pixels heads*dim].

    theirs: the replacement another pack put there, if any.
    """

    site: AttentionSite
    theirs: Callable | None
    extra_options: dict[str, Any]

    def __call__(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """What another pack put there, else the stock attention."""
        if self.theirs is not None:
            return self.theirs(query, key, value, self.extra_options)
        return self.stock(query, key, value)

    def stock(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """The host's attention call, with the user's backend and override; any number of rows."""
        return host_attention.optimized_attention(
            query,
            key,
            value,
            self.site.heads,
            attn_precision=self.extra_options.get("attn_precision"),
            transformer_options=self.extra_options,
        )


Around = Callable[[AttentionSite, Continue, Tensor, Tensor, Tensor], Tensor]


def around_cross_attention(
    transformer_options: dict[str, Any], layout: HeadLayout, around: Around, blocks: Collection[SiteKey] | None = None
) -> dict[str, Any]:
    """A copy of transformer_options in which `around(site, go_on, q, k, v)` runs at the cross-attention of some blocks.

    blocks: None for all of the layout.
    """
    return _around(transformer_options, CROSS, layout, layout.keys if blocks is None else blocks, around)


def around_self_attention(
    transformer_options: dict[str, Any], layout: HeadLayout, blocks: Collection[SiteKey], around: Around
) -> dict[str, Any]:
    """The same at the self-attention of some blocks; its heads are those of the block's cross-attention."""
    return _around(transformer_options, SELF, layout, blocks, around)


def _around(
    transformer_options: dict[str, Any], kind: str, layout: HeadLayout, blocks: Collection[SiteKey], around: Around
) -> dict[str, Any]:
    options = dict(transformer_options)
    replacements = dict(options.get("patches_replace", {}))
    there = dict(replacements.get(kind, {}))
    for site in layout.sites:
        if site.key in blocks:
            theirs = there.get(site.key, there.get(site.key[:2]))  # the host's own precedence
            there[site.key] = _replacement(site, theirs, around)
    replacements[kind] = there
    options["patches_replace"] = replacements
    return options


def _replacement(site: AttentionSite, theirs: Callable | None, around: Around) -> Callable:
    def replace(query: Tensor, key: Tensor, value: Tensor, extra_options: dict[str, Any]) -> Tensor:
        return around(site, Continue(site, theirs, extra_options), query, key, value)

    return replace
