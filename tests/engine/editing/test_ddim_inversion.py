"""DDIM inversion and PLMS against their equations, on a model that can be written down."""

import pytest
import torch

from hrv_engine.editing.ddim_inversion import ddim_invert
from hrv_engine.editing.plms import ADAMS_BASHFORTH, sample_plms
from hrv_engine.errors import HRVError


def schedule(steps: int, device="cpu") -> tuple[torch.Tensor, torch.Tensor]:
    """(timesteps, sigmas falling to 0) of Stable Diffusion at leading spacing with offset 1."""
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    levels = torch.cumprod(1 - betas, 0)
    times = torch.arange(steps) * (1000 // steps) + 1
    sigmas = ((1 - levels) / levels).sqrt()[times].flip(0)
    return times.flip(0), torch.cat([sigmas, sigmas.new_zeros(1)])


def eps_of(z: torch.Tensor, time) -> torch.Tensor:
    """A smooth made-up noise prediction of a latent z in VP coordinates at a timestep."""
    return torch.tanh(z * 0.7 + 0.1) * (0.5 + float(time) / 2000) + 0.05 * z.flip(-1)


def denoiser(times: torch.Tensor, sigmas: torch.Tensor, calls: list | None = None):
    """The same prediction as the sampler's model: x in VE coordinates -> denoised."""

    def model(x, sigma, **_):
        time = times[int((sigmas[:-1] - sigma[0]).abs().argmin())]
        if calls is not None:
            calls.append(int(time))
        return x - sigma[0] * eps_of(x / (1 + sigma[0] ** 2).sqrt(), time)

    return model


def start(seed: int = 0) -> torch.Tensor:
    return torch.randn(1, 2, 4, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_plms_visits_the_second_timestep_twice_in_one_more_call_than_steps():
    times, sigmas = schedule(10)
    calls: list[int] = []
    sample_plms(denoiser(times, sigmas, calls), start() * sigmas[0], sigmas)
    assert calls == [901, 801, 801, 701, 601, 501, 401, 301, 201, 101, 1]


def test_plms_equals_diffusers_pndm_up_to_its_last_step():
    from diffusers import PNDMScheduler

    times, sigmas = schedule(10)
    settings = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1}
    theirs = PNDMScheduler(num_train_timesteps=1000, skip_prk_steps=True, set_alpha_to_one=False, **settings)
    theirs.set_timesteps(10)
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    theirs.alphas_cumprod = torch.cumprod(1 - betas, 0)
    z = start()
    for time in theirs.timesteps[:-1]:
        z = theirs.step(eps_of(z, time), time, z).prev_sample
    ours = sample_plms(denoiser(times, sigmas), start() * (1 + sigmas[0] ** 2).sqrt(), sigmas[:-1])
    torch.testing.assert_close(ours / (1 + sigmas[-2] ** 2).sqrt(), z, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("weights", ADAMS_BASHFORTH)
def test_the_multistep_weights_sum_to_one(weights):
    assert sum(weights) == pytest.approx(1)


def ddim(model, x, sigmas):
    for here, there in zip(sigmas[:-1], sigmas[1:], strict=True):
        x = x + (there - here) * (x - model(x, here[None])) / here
    return x


@pytest.mark.parametrize("label", ["target", "current"])
def test_inverting_and_sampling_again_gives_the_image_back_the_better_the_more_steps(label):
    clean, errors = start(3) * 0.5, []
    for steps in (10, 50, 250):
        times, sigmas = schedule(steps)
        model = denoiser(times, sigmas)
        noisy = ddim_invert(model, clean, sigmas.flip(0), label).latents[-1]
        errors.append(float((ddim(model, noisy, sigmas) - clean).abs().max()))
    assert errors[0] > errors[1] > errors[2] and errors[2] < 0.02


def test_the_target_label_is_the_vp_formula_of_the_published_code():
    times, sigmas = schedule(10)
    rising, levels = sigmas.flip(0), 1 / (1 + sigmas.flip(0) ** 2)
    z = start(1)
    found = ddim_invert(denoiser(times, sigmas), z, rising)
    for i in range(10):
        eps = eps_of(z, times.flip(0)[i])
        clean = (z - (1 - levels[i]).sqrt() * eps) / levels[i].sqrt()
        z = levels[i + 1].sqrt() * clean + (1 - levels[i + 1]).sqrt() * eps
        torch.testing.assert_close(found.latents[i + 1] * levels[i + 1].sqrt(), z, rtol=1e-9, atol=1e-9)


def test_a_trajectory_is_found_by_its_noise_levels_only():
    times, sigmas = schedule(5)
    found = ddim_invert(denoiser(times, sigmas), start(), sigmas.flip(0))
    assert found.at(float(sigmas[2])) is found.latents[3]
    assert found.at(0.0) is found.latents[0]
    assert found.at(float(sigmas[2]) * 1.1) is None


def test_an_unknown_label_is_refused():
    with pytest.raises(HRVError, match='"both".*target, current'):
        ddim_invert(lambda x, s: x, start(), torch.tensor([0.0, 1.0]), "both")
