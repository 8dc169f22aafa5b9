"""Sampling steps of a source and its target, in several ways."""

from __future__ import annotations

from typing import Any

import torch

import nodes
from comfyui_hrv.hrv_engine.attention.downsampling import small_maps
from comfyui_hrv.nodes.editing.p2p_edit import HRVP2PEdit
from comfyui_hrv.nodes.host.conditioning import KEY
from comfyui_hrv.nodes.host.families.unet_layers import downsampling
from comfyui_hrv.nodes.host.unet import layout_of
from comfyui_hrv.nodes.prompt import HRVPrompt
from comfyui_hrv.tests.nodes.explicit_pairs import ExplicitPairs

from .full_size import Steps, random_vectors

SOURCE, TARGET, COLUMN = "a blue car on a road", "a red car on a road", 2  # the column of the edited word

SETTINGS = {
    "undesired": "", "edited_word": "", "cross_replace": 1.0, "self_replace": 1.0, "mode": "auto", "equalizer": "",
    "word_windows": "", "tail": "aligned", "self_limit": "auto", "clamp": 0.0, "blend_words": "",
    "blend_threshold": 0.3, "blend_start": 0.2, "seeds": 1,
}  # fmt: skip


def edits(model: Any, clip: Any, latent: int) -> dict[str, Steps]:
    """Name -> steps inside all windows: the plain rows, P2P, P2P-HRV, and the same with materialised maps.

    The last is P2P-HRV outside all windows.
    """
    source, target = (HRVPrompt.execute(clip, text).args[0] for text in (SOURCE, TARGET))
    negative, hrv = nodes.CLIPTextEncode().encode(clip, "")[0], random_vectors(model)
    empty = {"samples": torch.zeros(1, 4, latent, latent)}
    ends = (model, source, target, empty)
    plain_p2p, stacked, rows = HRVP2PEdit.execute(*ends, concept="", **SETTINGS).args
    with_hrv, marked, _ = HRVP2PEdit.execute(*ends, concept="Color", hrv=hrv, **SETTINGS).args
    closed = SETTINGS | {"cross_replace": 0.0, "self_replace": 0.0}
    outside, unedited, _ = HRVP2PEdit.execute(*ends, concept="Color", hrv=hrv, **closed).args
    context, values = stacked[0]
    r = torch.from_numpy(hrv.row("Color")).to(context.device)

    def cross(source_map: torch.Tensor, target_map: torch.Tensor, head: slice, step: int) -> torch.Tensor:
        edited = source_map.clone()
        edited[:, :, COLUMN] = target_map[:, :, COLUMN] * r[head][:, None].to(target_map)
        return edited

    limit = small_maps(downsampling(model.model.diffusion_model), "auto")
    explicit = ExplicitPairs(layout_of(model), cross, limit, 1).on(model)

    def step(model: Any, positive: list) -> Steps:
        return lambda steps=1: nodes.common_ksampler(model, 1, steps, 7.5, "euler", "normal", positive, negative, rows)

    untagged = [[context, {**values, KEY: None}]]
    return {
        "plain": step(model, untagged),
        "P2P": step(plain_p2p, stacked),
        "P2P-HRV": step(with_hrv, marked),
        "P2P-HRV, explicit maps": step(explicit, untagged),
        "P2P-HRV, outside its windows": step(outside, unedited),
    }
