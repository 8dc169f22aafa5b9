"""PLMS, the sampler of the paper's experiments: pseudo linear multi-steps over DDIM transfers (arXiv 2202.09778)."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

ADAMS_BASHFORTH = ((1.0,), (3 / 2, -1 / 2), (23 / 12, -16 / 12, 5 / 12), (55 / 24, -59 / 24, 37 / 24, -9 / 24))


def sample_plms(
    model: Callable[..., Tensor],
    x: Tensor,
    sigmas: Tensor,
    extra_args: dict[str, Any] | None = None,
    callback: Callable[[dict[str, Any]], None] | None = None,
    disable: bool | None = None,
) -> Tensor:
    """Sample from sigmas[0] to sigmas[-1] in len(sigmas) model calls, one more than steps, as diffusers' PNDM does.

    The first step is an improved Euler step: the mean of the noise at its start and at its trial end. model: (x, sigma
    [batch]) -> denoised; x [batch channels height width] = clean + sigma noise. A transfer is x' = x + (s' - s) eps.
    """
    ones, past = x.new_ones(x.shape[0]), list[Tensor]()

    def noise(at: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        denoised = model(at, sigma * ones, **(extra_args or {}))
        return (at - denoised) / sigma, denoised

    for i in range(len(sigmas) - 1):
        eps, denoised = noise(x, sigmas[i])
        past = [eps, *past[:3]]
        if i == 0 and sigmas[1] > 0:
            trial, _ = noise(x + (sigmas[1] - sigmas[0]) * eps, sigmas[1])
            mixed = (eps + trial) / 2
        else:
            mixed = sum(weight * one for weight, one in zip(ADAMS_BASHFORTH[len(past) - 1], past, strict=True))
        if callback is not None:  # after all calls of the step, so that the next call shows the next latent
            callback({"x": x, "i": i, "sigma": sigmas[i], "sigma_hat": sigmas[i], "denoised": denoised})
        x = x + (sigmas[i + 1] - sigmas[i]) * mixed
    return x


sample_plms.steps_are_calls = True  # type: ignore[attr-defined]  # as the authors count and move calls under PNDM
