"""DDIM inversion: from a clean image back to the noise a deterministic sampler would draw it from."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..errors import HRVError

LABELS = ("target", "current")
Model = Callable[..., Tensor]  # (x, sigma [batch], **extra) -> denoised


@dataclass(frozen=True)
class Trajectory:
    """The latents of an inversion, [1 channels height width] each, at noise levels sigmas (rising from 0)."""

    sigmas: tuple[float, ...]
    latents: tuple[Tensor, ...]

    def at(self, sigma: float) -> Tensor | None:
        """The latent of a noise level, None if the inversion did not pass it."""
        near = min(range(len(self.sigmas)), key=lambda index: abs(self.sigmas[index] - sigma))
        same = abs(self.sigmas[near] - sigma) <= 1e-3 * max(sigma, 1e-3)
        return self.latents[near] if same else None


def ddim_invert(
    model: Model,
    x: Tensor,
    sigmas: Tensor,
    label: str = "target",
    extra_args: dict[str, Any] | None = None,
    callback: Callable[[dict[str, Any]], None] | None = None,
) -> Trajectory:
    """Follow x' = x + (s' - s) eps up rising `sigmas`; x [1 channels height width] is the clean latent.

    label: at which end of a step the model is asked for eps: target (MasaCtrl, Free-Prompt-Editing, null-text
    inversion) rescales x to the level it goes to, current asks where it is. Raises HRVError for another label.
    """
    if label not in LABELS:
        raise HRVError(f'The label "{label}" is unknown. Legal: {", ".join(LABELS)}.')
    latents, ones = [x], x.new_ones(x.shape[0])
    for i in range(len(sigmas) - 1):
        here, there = sigmas[i], sigmas[i + 1]
        asked = there if label == "target" or here == 0 else here
        scaled = x * torch.sqrt((1 + asked**2) / (1 + here**2))
        denoised = model(scaled, asked * ones, **(extra_args or {}))
        x = x + (there - here) * (scaled - denoised) / asked
        if callback is not None:
            callback({"x": x, "i": i, "sigma": here, "sigma_hat": asked, "denoised": denoised})
        latents.append(x)
    return Trajectory(tuple(float(sigma) for sigma in sigmas), tuple(latents))
