"""Every sampler of the host: either its own latent is reached in every step, or it is refused by name."""

from __future__ import annotations

from types import SimpleNamespace

import comfy.model_sampling
import comfy.samplers
import pytest
import torch

from comfyui_hrv.hrv_engine.errors import HRVError
from comfyui_hrv.nodes.host.sampler_state import OUT_OF_REACH, SamplerState

SAMPLERS = [name for name in comfy.samplers.KSampler.SAMPLERS if name not in OUT_OF_REACH.values()]
# These extrapolate slopes from before a move, as PNDM does in the original: a move has a larger effect than it would in
# a run begun at that step.
REMEMBERS_SLOPES = {"lms", "ipndm", "ipndm_v", "deis", "gradient_estimation", "gradient_estimation_cfg_pp"}


class Epsilon(comfy.model_sampling.ModelSamplingDiscrete, comfy.model_sampling.EPS):
    """Stable Diffusion's noise levels."""


class FakeGuider:
    """A denoiser that predicts nearly the same image whatever it is shown; `shown(x, sigma)` sees every call."""

    cfg = 1.0

    def __init__(self, shown) -> None:
        sampling = Epsilon()
        self.inner_model = SimpleNamespace(
            model_sampling=sampling, scale_latent_inpaint=lambda **kw: kw["latent_image"]
        )
        self.model_patcher = SimpleNamespace(get_model_object=lambda _: sampling, model=self.inner_model)
        self.model_options, self.conds, self.shown = {}, {}, shown

    def __call__(self, x, sigma, model_options=None, seed=None):
        self.shown(x, sigma)
        denoised = torch.full_like(x, 0.1)
        for function in (model_options or {}).get("sampler_post_cfg_function", []):
            names = ("denoised", "cond_denoised", "uncond_denoised", "input")
            denoised = function({**dict.fromkeys(names, denoised), "sigma": sigma, "model": self.inner_model})
        return denoised


def schedule() -> torch.Tensor:
    return comfy.samplers.calculate_sigmas(Epsilon(), "normal", 8)[:-1]  # not down to 0, where the start is forgotten


def noise(seed: int = 3) -> torch.Tensor:
    return torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(seed))


def run(name: str, sigmas: torch.Tensor, start: torch.Tensor, move_at: int | None = None, move=0.0) -> torch.Tensor:
    """The last latent; in step `move_at` the state, as the pack finds it, is moved."""
    sampler = comfy.samplers.sampler_object(name)
    state = SamplerState.of(sampler, sigmas, None)
    moved = []

    def shown(x, sigma):
        step = state.step_shown(sigma)
        if step is not None and step == move_at:
            moved.append(x.add_(move))

    model = comfy.samplers.KSamplerX0Inpaint(FakeGuider(shown), sigmas)
    model.latent_image, model.noise = torch.zeros_like(start), torch.zeros_like(start)
    torch.manual_seed(0)
    extra = {"model_options": {}, "seed": 5, "denoise_mask": None}
    callback = state.counting(None)
    out = sampler.sampler_function(
        model, start.clone(), sigmas, extra_args=extra, callback=lambda d: callback(d["i"]), disable=True,
        **sampler.extra_options,
    )  # fmt: skip
    assert len(moved) == (move_at is not None)
    assert state.step == state.steps
    return out


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_move_before_the_first_step_is_a_start_from_moved_noise(name):
    sigmas, move = schedule(), noise(9)
    start = noise() * sigmas[0]
    assert torch.allclose(run(name, sigmas, start, 0, move), run(name, sigmas, start + move), atol=1e-4)


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("step", [1, 3, 5])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_move_in_a_later_step_goes_on_as_if_the_sampler_had_started_there(name, step):
    sigmas, move = schedule(), noise(9)
    start = noise() * sigmas[0]
    effect = run(name, sigmas, start, step, move) - run(name, sigmas, start)
    rest, begun = sigmas[step:], noise() * sigmas[step]
    expected = run(name, rest, begun + move) - run(name, rest, begun)
    if name == "lcm":  # forgets its latent in every step and keeps the prediction
        assert effect.abs().max() == 0 == expected.abs().max()
        return
    likeness = torch.cosine_similarity(effect.flatten(), expected.flatten(), dim=0)
    assert float(likeness) > 0.99
    if name in REMEMBERS_SLOPES:
        assert float(effect.norm()) > float(expected.norm())
    else:
        assert torch.allclose(effect, expected, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("name", OUT_OF_REACH.values())
def test_the_others_are_refused_by_name_with_a_choice(name):
    with pytest.raises(HRVError, match=f"sampler {name} does not show.*Choose another: ddim"):
        SamplerState.of(comfy.samplers.sampler_object(name), schedule(), None)


@pytest.mark.parametrize("name", ["uni_pc", "uni_pc_bh2", "sa_solver", "sa_solver_pece"])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_refusal_is_earned_because_no_call_of_some_step_can_move_the_sampler(name):
    """Moving any single call at the step's noise level misses what a start from there would do."""
    sigmas, move, step = schedule(), noise(9), 3
    start, sampler = noise() * sigmas[0], comfy.samplers.sampler_object(name)

    def moved_in(number: int | None) -> tuple[torch.Tensor, int]:
        calls = []

        def shown(x, sigma):
            if abs(float(sigma.max()) / float(sigmas[step]) - 1) < 1e-4:
                calls.append(x)
                if len(calls) - 1 == number:
                    x.add_(move)

        model = comfy.samplers.KSamplerX0Inpaint(FakeGuider(shown), sigmas)
        model.latent_image, model.noise = torch.zeros_like(start), torch.zeros_like(start)
        torch.manual_seed(0)
        extra = {"model_options": {}, "seed": 5, "denoise_mask": None}
        options = {"extra_args": extra, "callback": lambda d: None, "disable": True}
        return sampler.sampler_function(model, start.clone(), sigmas, **options), len(calls)

    plain, calls = moved_in(None)
    assert calls > 0
    expected = move * sigmas[-1] / sigmas[step]
    for number in range(calls):
        assert not torch.allclose(moved_in(number)[0] - plain, expected, rtol=0.1, atol=0.05 * float(expected.norm()))
