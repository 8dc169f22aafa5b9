"""What a ComfyUI MODEL tells about itself: its head layout, its name and its fingerprint."""

import hashlib
from typing import Any
from weakref import WeakKeyDictionary

import torch

from ...hrv_engine.attention.downsampling import Downsampling
from ...hrv_engine.attention.heads import HeadLayout
from ...hrv_engine.errors import HRVError
from .families import family_of

_layouts: "WeakKeyDictionary[torch.nn.Module, HeadLayout]" = WeakKeyDictionary()


def layout_of(model: Any) -> HeadLayout:
    """The head layout of a MODEL as its family tells it, discovered once; raises HRVError for a model of no family."""
    module = model.model.diffusion_model
    if module not in _layouts:
        _layouts[module] = family_of(module).sites(module)
    return _layouts[module]


def require_unet(model: Any, who: str, why: str) -> None:
    """Raise HRVError for a MODEL whose attention is not a UNet's; who: the node, why: what it needs of a UNet."""
    family = family_of(model.model.diffusion_model).name
    if family != "UNet":
        raise HRVError(
            f"{who} is defined for UNets only and not for {family}: {why}. Use an SD1.x, SD2.x or SDXL checkpoint for"
            f" it. On {family} HRV Concept Strengthen and HRV Concept Adjust change what a word does."
        )


def downsampling_of(model: Any) -> Downsampling:
    """By how much the maps of each site of a MODEL are smaller than the latent; raises HRVError as `layout_of` does."""
    module = model.model.diffusion_model
    return family_of(module).downsampling(module)


def model_family(model: Any) -> str:
    """ComfyUI's name of the architecture, e.g. `SD15`, `SDXL`."""
    return type(model.model.model_config).__name__


def fingerprint(model: Any) -> str:
    """A short hash over a few weights of every site and the strengths of LoRA-like patches.

    Taken from the weights as loaded, at half precision, so that fp16 and fp32 files of one checkpoint agree.
    """
    digest = hashlib.sha256()
    module = model.model.diffusion_model
    for key, weight in family_of(module).key_weights(module):
        part = weight.detach().flatten()[:64].to("cpu", torch.float16)
        digest.update(repr(key).encode() + part.clone().numpy().tobytes())
    for name in sorted(map(str, model.patches)):
        digest.update(name.encode())
    for patches in model.patches.values():
        digest.update(repr([patch[0] for patch in patches]).encode())
    return digest.hexdigest()[:16]
