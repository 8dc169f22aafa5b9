"""Noise that a sampler draws while it runs, the same for all rows of a pair."""

from collections.abc import Callable

from comfy.k_diffusion.sampling import BrownianTreeNoiseSampler, default_noise_sampler
from torch import Tensor

Noise = Callable[[Tensor, Tensor], Tensor]  # two noise levels -> noise between them
NoiseKind = Callable[[Tensor, Tensor, int | None], Noise]  # a latent, the run's noise levels, its seed -> noise like it


def gaussian(x: Tensor, sigmas: Tensor, seed: int | None) -> Noise:
    """Independent noise in every step, as most of the host's samplers draw it."""
    return default_noise_sampler(x, seed=seed)


def brownian(x: Tensor, sigmas: Tensor, seed: int | None, cpu: bool = True) -> Noise:
    """Increments of a Brownian path, as the host's dpmpp samplers of the kind sde draw it."""
    return BrownianTreeNoiseSampler(x, sigmas[sigmas > 0].min(), sigmas.max(), seed=seed, cpu=cpu)


def brownian_on_device(x: Tensor, sigmas: Tensor, seed: int | None) -> Noise:
    """The same where the latent is: other numbers than on the CPU."""
    return brownian(x, sigmas, seed, cpu=False)


KINDS: tuple[NoiseKind, ...] = (gaussian, brownian, brownian_on_device)


class SharedNoise:
    """The noise a sampler would draw for the sources alone, the same for all rows of a pair: a `noise_sampler`."""

    def __init__(self, kind: NoiseKind, noise: Tensor, members: int, sigmas: Tensor, seed: int | None) -> None:
        self.members = members
        self.inner = kind(noise[::members], sigmas, seed)

    def __call__(self, sigma: Tensor, sigma_next: Tensor) -> Tensor:
        """Noise between two levels, [rows channels height width]."""
        return self.inner(sigma, sigma_next).repeat_interleave(self.members, dim=0)
