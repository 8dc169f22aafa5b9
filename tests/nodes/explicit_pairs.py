"""Prompt-to-Prompt as its paper writes it, with materialised maps: what the value form is compared with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from comfyui_hrv.hrv_engine.attention.heads import HeadLayout
from comfyui_hrv.hrv_engine.attention.values import attention_map, split_heads


@dataclass
class ExplicitPairs:
    """Edits maps row by row: `cross(M_s, M_t, head slice, step) -> M~`; self maps swapped while step < self_steps."""

    layout: HeadLayout
    cross: Callable | None = None
    self_blocks: frozenset = frozenset()
    self_steps: int = 0
    branches: int = 2

    def on(self, model):
        """A clone of MODEL with the maps of every layer edited explicitly."""
        patched = model.clone()
        for site in self.layout.sites:
            patched.set_model_attn2_replace(self._cross, *site.key[:2], site.key[2])
            if site.key in self.self_blocks:
                patched.set_model_attn1_replace(self._self, *site.key[:2], site.key[2])
        return patched

    def _cross(self, q, k, v, options):
        maps = attention_map(q, k, options["n_heads"])
        head = self.layout.head_range((*options["block"], options["block_index"]))
        if self.cross is not None:
            for source, target in self._rows(options, q.shape[0]):
                maps[target] = self.cross(maps[source], maps[target], head, self._step(options))
        return (maps @ split_heads(v, options["n_heads"])).transpose(1, 2).flatten(2)

    def _self(self, q, k, v, options):
        maps = attention_map(q, k, options["n_heads"])
        if self._step(options) < self.self_steps:
            for source, target in self._rows(options, q.shape[0]):
                maps[target] = maps[source]
        return (maps @ split_heads(v, options["n_heads"])).transpose(1, 2).flatten(2)

    def _rows(self, options, batch: int):
        chunks = options["cond_or_uncond"]
        size = batch // len(chunks)
        for place, kind in enumerate(chunks):
            if kind == 0:
                for first in range(place * size, (place + 1) * size, self.branches):
                    for branch in range(1, self.branches):
                        yield first, first + branch

    def _step(self, options) -> int:
        return int((options["sample_sigmas"] > options["sigmas"][0] * (1 + 1e-6)).sum())


def remapped(matrix: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
    """M_s R for maps [heads pixels tokens] and a mapping [source target]."""
    return maps @ matrix.to(maps)
