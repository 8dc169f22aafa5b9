"""The methods as the paper writes them, with materialised softmax maps: what the value form is compared with."""

from __future__ import annotations

import torch

from comfyui_hrv.hrv_engine.attention.heads import HeadLayout
from comfyui_hrv.hrv_engine.attention.values import attention_map, split_heads


def with_explicit_maps(model, layout: HeadLayout, r: torch.Tensor, columns: tuple[int, ...], tokens: int = 77):
    """The method as the paper writes it: materialise the softmax and multiply the word's columns by r_h."""

    def explicit(q, k, v, options):
        heads, head = options["n_heads"], layout.head_range((*options["block"], options["block_index"]))
        maps = attention_map(q, k, heads)
        chunks = options["cond_or_uncond"]
        size = q.shape[0] // len(chunks)
        for place, kind in enumerate(chunks):
            if kind == 0:
                for column in columns:
                    maps[place * size : (place + 1) * size, :, :, column::tokens] *= r[head][None, :, None, None]
        return (maps @ split_heads(v, heads)).transpose(1, 2).flatten(2)

    patched = model.clone()
    for site in layout.sites:
        patched.set_model_attn2_replace(explicit, *site.key[:2], site.key[2])
    return patched


def relative(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one - other).abs().max() / other.abs().max())
