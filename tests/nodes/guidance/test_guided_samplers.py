"""Every sampler of the host, and ours: its own latent is reached in every step, or it is refused by name."""

from __future__ import annotations

from types import SimpleNamespace

import comfy.model_sampling
import comfy.sample
import comfy.samplers
import pytest
import torch
from comfy_extras.nodes_custom_sampler import DualCFGGuider
from comfy_extras.nodes_easycache import LazyCacheNode

from comfyui_hrv.hrv_engine.errors import HRVError
from comfyui_hrv.nodes.editing.plms_sampler import HRVPLMSSampler
from comfyui_hrv.nodes.host.guidance import losses_of
from comfyui_hrv.nodes.host.sampler_state import SamplerState
from comfyui_hrv.nodes.host.sampler_support import SamplerSupport

from ..explicit import relative
from .test_attend_excite import TEXT, excited, prompt

# Samplers that show only copies and trial states, or report steps that are not those of the schedule.
OUT_OF_REACH = ["uni_pc", "uni_pc_bh2", "sa_solver", "sa_solver_pece", "dpm_fast", "dpm_adaptive"]
SAMPLERS = [name for name in comfy.samplers.KSampler.SAMPLERS if name not in OUT_OF_REACH]
SAMPLERS += ["plms", "euler with churn", "heun with churn", "dpm_2 with churn"]
# These extrapolate slopes from before a move, as PNDM does in the original: a move has a larger effect than it would in
# a run begun at that step. The weights of heunpp2 depend on where the run began.
REMEMBERS_SLOPES = {"lms", "ipndm", "ipndm_v", "deis", "gradient_estimation", "gradient_estimation_cfg_pp", "plms"}
REMEMBERS_ITS_START = {"heunpp2"}


def sampler_called(name: str):
    if name == "plms":
        return HRVPLMSSampler.execute().args[0]
    stock, _, churn = name.partition(" with ")
    return comfy.samplers.ksampler(stock, {"s_churn": 10.0}) if churn else comfy.samplers.sampler_object(stock)


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
    sampler = sampler_called(name)
    state = SamplerState.of(SamplerSupport(sampler, FakeGuider(None), sigmas, start), None)
    moved = []

    def shown(x, sigma):
        step = state.step_shown()
        if step is not None and step == move_at:
            moved.append(x.add_(move))

    model = comfy.samplers.KSamplerX0Inpaint(FakeGuider(shown), sigmas)
    model.latent_image, model.noise = torch.zeros_like(start), torch.zeros_like(start)
    torch.manual_seed(0)
    extra = {"model_options": {}, "seed": 5, "denoise_mask": None}
    callback = state.counting(None, lambda step: True)
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
    counted = step + (name == "plms")  # its steps are calls, and the first step has two
    effect = run(name, sigmas, start, counted, move) - run(name, sigmas, start)
    rest, begun = sigmas[step:], noise() * sigmas[step]
    expected = run(name, rest, begun + move) - run(name, rest, begun)
    if name == "lcm":  # forgets its latent in every step and keeps the prediction
        assert effect.abs().max() == 0 == expected.abs().max()
        return
    likeness = torch.cosine_similarity(effect.flatten(), expected.flatten(), dim=0)
    assert float(likeness) > 0.99
    if name in REMEMBERS_SLOPES:
        assert float(effect.norm()) > float(expected.norm())
    elif name not in REMEMBERS_ITS_START:
        assert torch.allclose(effect, expected, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("name", OUT_OF_REACH)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_others_are_refused_by_name_with_a_choice(name):
    support = SamplerSupport(sampler_called(name), FakeGuider(None), schedule(), noise())
    with pytest.raises(HRVError, match=f"sampler {name} does not show.*Choose another: ddim"):
        SamplerState.of(support, None)


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


def drawn(trio, made, sampler, steps: int = 4, negative: list | None = None) -> torch.Tensor:
    model, positive = made
    sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "normal", steps)
    start = torch.zeros(1, 4, 8, 8)
    negative = trio.encode("") if negative is None else negative
    options = {"disable_pbar": True, "seed": 5}
    return comfy.sample.sample_custom(model, noise(), 5.0, sampler, sigmas, positive, negative, start, **options)


@pytest.mark.parametrize("name", ["plms", "euler with churn", "heun with churn", "heunpp2", "dpmpp_sde"])
def test_attend_and_excite_moves_the_latent_of_every_step_that_it_alters(trio, name):
    with torch.inference_mode():
        made = excited(trio, thresholds="")
        guided = drawn(trio, made, sampler_called(name))
        assert [step for _, step, _ in losses_of(made[0]).rows] == [0, 1]
        once = excited(trio, thresholds="", steps_to_alter=1)
        plain = drawn(trio, (trio.model, trio.encode(TEXT)), sampler_called(name))
        assert relative(drawn(trio, once, sampler_called(name)), plain) > 1e-3
        assert relative(guided, drawn(trio, once, sampler_called(name))) > 1e-3


class TestPLMS:
    def test_the_latent_of_step_1_is_shown_after_the_trial_call_and_before_the_report_of_its_step(self):
        events = []

        def model(x, sigma):
            events.append(round(float(sigma[0]), 1))
            return 0 * x

        sigmas = torch.tensor([4.0, 2.0, 1.0, 0.0])
        plms = HRVPLMSSampler.execute().args[0].sampler_function
        plms(model, torch.ones(1, 1, 2, 2), sigmas, callback=lambda info: events.append(f"step {info['i']}"))
        assert events == [4.0, 2.0, "step 0", 2.0, "step 1", 1.0, "step 2"]

    def test_what_is_moved_is_that_latent_and_not_the_trial(self):
        sampler, sigmas, start = sampler_called("plms"), schedule(), noise() * schedule()[0]
        state = SamplerState.of(SamplerSupport(sampler, FakeGuider(None), sigmas, start), None)
        assert state.own == (1,) * len(sigmas[1:])


class TestCaches:
    """LazyCache answers whole model calls; where it stands before the guidance, no call comes by."""

    def test_a_step_that_a_cache_skips_is_an_error_and_not_an_unaltered_step(self, trio):
        with torch.inference_mode():
            model, positive = excited(trio, model=cached(trio.model), steps_to_alter=12, thresholds="")
            with pytest.raises(HRVError, match="LazyCache.*after the HRV node"):
                drawn(trio, (model, positive), sampler_called("euler"), 12)

    def test_behind_the_guidance_it_leaves_every_step_altered(self, trio):
        with torch.inference_mode():
            model, positive = excited(trio, steps_to_alter=12, thresholds="")
            behind = cached(model)
            drawn(trio, (behind, positive), sampler_called("euler"), 12)
            assert [step for _, step, _ in losses_of(behind).rows] == list(range(12))


def cached(model):
    return LazyCacheNode.execute(model, 3.0, 0.0, 1.0, False).args[0]


def test_a_prompt_that_is_guided_may_stand_in_any_list_of_a_guider(trio):
    with torch.inference_mode():
        model, marked = excited(trio, thresholds="")
        sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "normal", 4)

        def by(middle):
            guider = DualCFGGuider.execute(model, prompt(trio, "a field"), middle, trio.encode(""), 3.0, 3.0, "regular")
            return guider.args[0].sample(noise(), torch.zeros(1, 4, 8, 8), sampler_called("euler"), sigmas, seed=5)

        guided = by(marked)
        assert [step for _, step, _ in losses_of(model).rows] == [0, 1]
        assert relative(guided, by(trio.encode(TEXT))) > 1e-3
