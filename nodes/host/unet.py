"""What a ComfyUI MODEL tells about itself: its head layout, its name and its fingerprint."""

import hashlib
from collections.abc import Iterator
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
    """A short hash over a few weights of every site, and over strengths and a few weights of LoRA-like patches.

    Taken from the weights as loaded, at half precision, so that fp16 and fp32 files of one checkpoint agree.
    """
    digest = hashlib.sha256()
    module = model.model.diffusion_model
    for key, weight in family_of(module).key_weights(module):
        digest.update(repr(key).encode() + sample(weight))
    digest.update(patches_digest(model.patches))
    return digest.hexdigest()[:16]


def patches_digest(patches: dict[Any, list[tuple]]) -> bytes:
    """Bytes that tell a ModelPatcher's patches apart, whatever order they came in; none for no patches."""
    if not patches:
        return b""
    told = [
        repr((str(name), strength, of_model)).encode() + b"".join(_parts(patch))
        for name, there in patches.items()
        for strength, patch, of_model, *_ in there
    ]
    return hashlib.sha256(b"\n".join(sorted(told))).digest()


def sample(weight: torch.Tensor) -> bytes:
    """The first numbers of a weight at half precision."""
    return weight.detach().flatten()[:64].to("cpu", torch.float16).clone().numpy().tobytes()


def _parts(patch: Any) -> Iterator[bytes]:
    """Bytes of one of the host's patches: a tensor, a number, tuples of them, or an adapter that has `weights`."""
    if isinstance(patch, torch.Tensor):
        yield sample(patch)
    elif isinstance(patch, (list, tuple)):
        for one in patch:
            yield from _parts(one)
    elif hasattr(patch, "weights"):
        yield from _parts(patch.weights)
    elif isinstance(patch, (str, int, float)):
        yield repr(patch).encode()
