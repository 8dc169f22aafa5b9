"""What a ComfyUI MODEL tells about itself: its head layout, its name and its fingerprint."""

import hashlib
from typing import Any
from weakref import WeakKeyDictionary

import torch

from ...hrv_engine.attention.heads import HeadLayout
from .families.unet_layers import cross_attentions, head_layout

_layouts: "WeakKeyDictionary[torch.nn.Module, HeadLayout]" = WeakKeyDictionary()


def layout_of_unet(unet: torch.nn.Module) -> HeadLayout:
    """The head layout of a UNet module, discovered once."""
    if unet not in _layouts:
        _layouts[unet] = head_layout(unet)
    return _layouts[unet]


def layout_of(model: Any) -> HeadLayout:
    """The head layout of a MODEL; raises HRVError for Flux, SD3 and others without UNet cross-attention."""
    return layout_of_unet(model.model.diffusion_model)


def model_family(model: Any) -> str:
    """ComfyUI's name of the architecture, e.g. `SD15`, `SDXL`."""
    return type(model.model.model_config).__name__


def fingerprint(model: Any) -> str:
    """A short hash over a few weights of every cross-attention layer and the strengths of LoRA-like patches.

    Taken from the weights as loaded, at half precision, so that fp16 and fp32 files of one checkpoint agree.
    """
    digest = hashlib.sha256()
    for block, attention in cross_attentions(model.model.diffusion_model):
        weight = attention.to_k.weight.detach().flatten()[:64].to("cpu", torch.float16)
        digest.update(repr(block).encode() + weight.clone().numpy().tobytes())
    for key in sorted(map(str, model.patches)):
        digest.update(key.encode())
    for patches in model.patches.values():
        digest.update(repr([patch[0] for patch in patches]).encode())
    return digest.hexdigest()[:16]
