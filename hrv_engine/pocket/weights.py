"""Weights in eight bits: each matrix or convolution as int8 with one scale for each output channel, the rest in fp16.

A quarter of fp32's size; w ≈ scale · q with q in −127..127 and scale = max |w| / 127 of the channel.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

#: Largest integer; −128 stays unused, so that the range is symmetric.
LARGEST = 127
_SCALE = ".scale"


def quantized(weight: Tensor) -> tuple[Tensor, Tensor]:
    """A weight [out, ...] as int8 of its shape and scales [out] in fp32."""
    rows = weight.float().flatten(1)
    scale = rows.abs().amax(1).clamp(min=torch.finfo(torch.float32).tiny) / LARGEST
    whole = (rows / scale[:, None]).round().clamp(-LARGEST, LARGEST).to(torch.int8)
    return whole.view(weight.shape).contiguous(), scale


def restored(whole: Tensor, scale: Tensor) -> Tensor:
    """The weight in fp32 that :func:`quantized` wrote, to half a scale."""
    return whole.float() * scale.view(-1, *[1] * (whole.ndim - 1))


def write_weights(path: str | Path, weights: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Writes a state dict in eight bits; vectors stay fp16."""
    stored = {}
    for name, weight in weights.items():
        weight = weight.detach().cpu()
        if weight.ndim > 1:
            stored[name], stored[name + _SCALE] = quantized(weight)
        else:
            stored[name] = weight.half().contiguous()
    save_file(stored, str(path), metadata)


def read_weights(path: str | Path, dtype: torch.dtype = torch.float32) -> tuple[dict[str, Tensor], dict[str, str]]:
    """(state dict in `dtype`, metadata) of a file in eight or in sixteen bits."""
    with safe_open(str(path), "pt") as file:
        stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        metadata = file.metadata() or {}
    weights = {}
    for name, value in stored.items():
        if value.dtype == torch.int8:
            value = restored(value, stored[name + _SCALE])
        if not name.endswith(_SCALE):
            weights[name] = value.to(dtype)
    return weights, metadata
