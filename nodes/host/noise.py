"""Samplers and paired rows: which draw noise of their own, and how the rows of a pair get the same."""

import inspect
from typing import Any

from comfy.k_diffusion.sampling import BrownianTreeNoiseSampler, default_noise_sampler
from torch import Tensor

from ...hrv_engine.errors import HRVError

DRAWS_NOISE = ("ancestral", "sde", "ddpm", "lcm", "seeds_", "sa_solver")  # parts of names of samplers that add noise
COUPLED = ("dpm_adaptive",)  # chooses its steps by all rows together


class SharedNoise:
    """The noise a sampler would draw for the sources alone, the same for all rows of a pair."""

    def __init__(self, name: str, noise: Tensor, branches: int, sigmas: Tensor, seed: int | None) -> None:
        self.branches, sources = branches, noise[::branches]
        if name.startswith("sample_dpmpp") and "sde" in name:
            ends = sigmas[sigmas > 0].min(), sigmas.max()
            self.inner = BrownianTreeNoiseSampler(sources, *ends, seed=seed, cpu=not name.endswith("_gpu"))
        else:
            self.inner = default_noise_sampler(sources, seed=seed)

    def __call__(self, sigma: Tensor, sigma_next: Tensor) -> Tensor:
        """Noise between two levels, [rows channels height width]."""
        return self.inner(sigma, sigma_next).repeat_interleave(self.branches, dim=0)


def sampler_name(sampler: Any) -> str:
    """The name of a SAMPLER's function, e.g. sample_euler."""
    return getattr(getattr(sampler, "sampler_function", None), "__name__", type(sampler).__name__)


def noise_options(sampler: Any, noise: Tensor, branches: int, sigmas: Tensor, seed: int | None) -> dict[str, Any]:
    """The extra options with which a sampler draws the same noise for all rows of a pair.

    Raises HRVError for a sampler that cannot: its source would not be the image it draws alone.
    """
    name = sampler_name(sampler)
    if any(part in name for part in COUPLED):
        raise HRVError(
            f'The sampler "{name}" chooses its steps by all images of a batch together, so that a source beside its'
            " target is another image than alone. Use euler, ddim, dpmpp_2m, heun or another with fixed steps."
        )
    if "noise_sampler" in inspect.signature(sampler.sampler_function).parameters:
        return {"noise_sampler": SharedNoise(name, noise, branches, sigmas, seed)}
    if any(part in name for part in DRAWS_NOISE):
        raise HRVError(
            f'The sampler "{name}" draws other noise for each image of a batch, and offers no way to share it, so'
            " that source and target would drift apart. Use euler, ddim, dpmpp_2m or another without noise of its own."
        )
    return {}
