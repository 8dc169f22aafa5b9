"""Explicit computations on the rows whose context is a given one, wherever a guider, tiler or window put them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from comfyui_hrv.hrv_engine.attention.heads import HeadLayout
from comfyui_hrv.hrv_engine.attention.values import attention_map, split_heads

ROWS = "explicit_rows"


@dataclass
class ByContent:
    """Multiplies map columns by r_h, or exchanges value rows, in the rows that attend to `conditioning`'s context.

    r: [heads of the layout]; values: rows [columns channels] that take the place of the context's for the values.
    """

    layout: HeadLayout
    conditioning: list
    columns: tuple[int, ...]
    r: torch.Tensor | None = None
    values: torch.Tensor | None = None

    def on(self, model: Any) -> Any:
        """A clone of MODEL with materialised maps in every layer."""
        patched = model.clone()
        patched.set_model_attn2_patch(self._note)
        if self.r is not None:
            for site in self.layout.sites:
                patched.set_model_attn2_replace(self._scaled, *site.key[:2], site.key[2])
        return patched

    def _note(self, n, context, values, options):
        own = self.conditioning[0][0].to(context)
        copies = context.shape[1] // own.shape[1]
        whole = own[:1].repeat(1, max(copies, 1), 1)
        same = [row for row, one in enumerate(context) if one.shape == whole[0].shape and torch.equal(one, whole[0])]
        options[ROWS] = same
        if self.values is not None and same:
            values = values.clone()
            every = [column + copy * own.shape[1] for copy in range(copies) for column in self.columns]
            values[torch.tensor(same)[:, None], every] = self.values.to(values).repeat(copies, 1)
        return n, context, values

    def _scaled(self, q, k, v, options):
        heads, head = options["n_heads"], self.layout.head_range((*options["block"], options["block_index"]))
        maps, tokens = attention_map(q, k, heads), self.conditioning[0][0].shape[1]
        for row in options[ROWS]:
            for column in self.columns:
                maps[row, :, :, column::tokens] *= self.r[head][:, None, None]
        return (maps @ split_heads(v, heads)).transpose(1, 2).flatten(2)
