"""What samplers can be relied on for: the host's, ours, and those of packs that nobody here has seen."""

from __future__ import annotations

from types import SimpleNamespace

import comfy.model_sampling
import comfy.samplers
import pytest
import torch
from comfy.k_diffusion.sampling import get_ancestral_step
from comfy_extras.nodes_cfg import CFGZeroStar
from comfy_extras.nodes_mahiro import Mahiro
from comfy_extras.nodes_tcfg import TCFG

from comfyui_hrv.hrv_engine.editing.plms import sample_plms
from comfyui_hrv.hrv_engine.errors import HRVError
from comfyui_hrv.nodes.host import sampler_support
from comfyui_hrv.nodes.host.noise import brownian, gaussian
from comfyui_hrv.nodes.host.rehearsal import rehearse
from comfyui_hrv.nodes.host.sampler_support import SamplerSupport, finely_spaced

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
REFUSED = "refused"
STEPS = 9

# sampler: (the call of steps after the first that shows its own latent, the noise to share in a pair)
VERDICTS = {
    "euler": (1, None), "euler_cfg_pp": (1, None), "euler_ancestral": (1, gaussian),
    "euler_ancestral_cfg_pp": (1, gaussian), "heun": (2, None), "heunpp2": (3, None), "exp_heun_2_x0": (2, None),
    "exp_heun_2_x0_sde": (2, gaussian), "dpm_2": (2, None), "dpm_2_ancestral": (2, gaussian), "lms": (1, None),
    "dpm_fast": (None, None), "dpm_adaptive": (None, REFUSED), "dpmpp_2s_ancestral": (2, gaussian),
    "dpmpp_2s_ancestral_cfg_pp": (2, gaussian), "dpmpp_sde": (2, brownian), "dpmpp_sde_gpu": (2, brownian),
    "dpmpp_2m": (1, None), "dpmpp_2m_cfg_pp": (1, None), "dpmpp_2m_sde": (1, brownian),
    "dpmpp_2m_sde_gpu": (1, brownian), "dpmpp_2m_sde_heun": (1, brownian), "dpmpp_2m_sde_heun_gpu": (1, brownian),
    "dpmpp_3m_sde": (1, brownian), "dpmpp_3m_sde_gpu": (1, brownian), "ddpm": (1, gaussian), "lcm": (1, gaussian),
    "ipndm": (1, None), "ipndm_v": (1, None), "deis": (1, None), "res_multistep": (1, None),
    "res_multistep_cfg_pp": (1, None), "res_multistep_ancestral": (1, gaussian),
    "res_multistep_ancestral_cfg_pp": (1, gaussian), "gradient_estimation": (1, None),
    "gradient_estimation_cfg_pp": (1, None), "er_sde": (1, gaussian), "seeds_2": (2, gaussian),
    "seeds_3": (3, gaussian), "sa_solver": (None, gaussian), "sa_solver_pece": (None, gaussian), "ddim": (1, None),
    "uni_pc": (None, None), "uni_pc_bh2": (None, None), "plms": (1, None),
}  # fmt: skip


class Epsilon(comfy.model_sampling.ModelSamplingDiscrete, comfy.model_sampling.EPS):
    """Stable Diffusion's noise levels."""


class Flow(comfy.model_sampling.ModelSamplingDiscreteFlow, comfy.model_sampling.CONST):
    """Noise levels of a flow, up to 1."""


def guider(sampling) -> SimpleNamespace:
    """All of a guider but a model: nothing can be predicted with it."""
    inner = SimpleNamespace(model_sampling=sampling)
    patcher = SimpleNamespace(get_model_object=lambda _: sampling, model=inner)
    return SimpleNamespace(inner_model=inner, model_patcher=patcher, cfg=1.0)


def support(sampler, steps: int = STEPS, sampling=Epsilon, **options) -> SamplerSupport:
    if isinstance(sampler, str):
        sampler = comfy.samplers.KSAMPLER(sample_plms) if sampler == "plms" else comfy.samplers.sampler_object(sampler)
    elif not isinstance(sampler, comfy.samplers.Sampler):
        sampler = comfy.samplers.KSAMPLER(sampler)
    if options:
        sampler.extra_options = options
    made = sampling()
    sigmas = comfy.samplers.calculate_sigmas(made, "normal", steps)
    return SamplerSupport(sampler, guider(made), sigmas, torch.zeros(2, 4, 8, 8))


def pair_noise(found: SamplerSupport):
    try:
        return found.pair_noise()
    except HRVError:
        return REFUSED


def test_the_table_has_every_sampler_of_the_host():
    assert {*comfy.samplers.KSampler.SAMPLERS, "plms"} == set(VERDICTS)


@pytest.mark.parametrize("sampling", [Epsilon, Flow])
@pytest.mark.parametrize("name", VERDICTS)
def test_every_sampler_has_its_verdict(name, sampling):
    call, noise = VERDICTS[name]
    found = support(name, sampling=sampling)
    own = found.own_latent()
    if call is None:
        assert own is None
    else:
        assert own == ((1, *[call] * (STEPS - 1)) if name != "heunpp2" else (1, *[3] * (STEPS - 2), 2))
    assert pair_noise(found) == noise
    assert found.rows_alone() == (noise is None)


@pytest.mark.parametrize("steps", [1, 2, 3, 40])
@pytest.mark.parametrize("name", ["heun", "dpmpp_2m", "dpmpp_2s_ancestral", "plms", "lcm"])
def test_runs_of_any_length_are_known_step_by_step(name, steps):
    call = VERDICTS[name][0]
    assert support(name, steps).own_latent() == (1, *[call] * (steps - 1))


class TestOptions:
    @pytest.mark.parametrize("name", ["euler", "heun", "dpm_2", "heunpp2"])
    def test_churn_is_noise_that_cannot_be_shared_but_hides_no_latent(self, name):
        churned = support(name, s_churn=5.0)
        assert churned.own_latent() == support(name).own_latent()
        assert not churned.rows_alone()
        with pytest.raises(HRVError, match=rf"sampler {name} \(s_churn=5.0\) draws other noise.*s_churn at 0"):
            churned.pair_noise()

    def test_churn_in_a_window_of_noise_levels_is_found_too(self):
        assert not support("euler", s_churn=5.0, s_tmin=1.0, s_tmax=3.0).rows_alone()
        assert support("euler", s_churn=5.0, s_tmin=500.0).rows_alone()

    def test_an_ancestral_sampler_with_eta_0_draws_nothing(self):
        assert support("euler_ancestral", eta=0.0).rows_alone()

    def test_noise_clipped_by_all_images_together_cannot_be_shared(self):
        assert pair_noise(support("lcm", noise_clip_std=1.0)) == REFUSED

    def test_an_option_that_cannot_be_compared_is_no_obstacle(self):
        def sampler(model, x, sigmas, extra_args=None, callback=None, disable=None, weights=()):
            return comfy.k_diffusion.sampling.sample_euler(model, x, sigmas, extra_args, callback, disable)

        assert support(sampler, weights=[1.0, 2.0]).own_latent() == (1,) * STEPS


class TestForeignSamplers:
    """Samplers as other packs have them."""

    def test_one_that_draws_noise_in_its_own_way_is_refused_for_pairs(self):
        def sample_like_res4lyf(model, x, sigmas, extra_args=None, callback=None, disable=None, **more):
            generator = torch.Generator().manual_seed(extra_args["seed"] + 7)
            for i in range(len(sigmas) - 1):
                denoised = model(x, sigmas[i] * x.new_ones(len(x)), **extra_args)
                callback({"x": x, "i": i, "denoised": denoised})
                down, up = get_ancestral_step(sigmas[i], sigmas[i + 1])
                x = x + (x - denoised) / sigmas[i] * (down - sigmas[i])
                x = x + torch.randn(x.shape, generator=generator) * up
            return x

        found = support(sample_like_res4lyf)
        assert found.own_latent() == (1,) * STEPS
        assert not found.rows_alone()
        with pytest.raises(HRVError, match="sampler like_res4lyf draws other noise.*Use euler"):
            found.pair_noise()

    def test_one_that_shows_only_copies_cannot_be_guided(self):
        def copying(model, x, sigmas, extra_args=None, callback=None, disable=None):
            def shown_a_copy(x, sigma, **arguments):
                return model(x.clone(), sigma, **arguments)

            return comfy.k_diffusion.sampling.sample_euler(shown_a_copy, x, sigmas, extra_args, callback, disable)

        found = support(copying)
        assert found.own_latent() is None and found.rows_alone()

    def test_one_that_reports_no_steps_cannot_be_followed(self):
        def silent(model, x, sigmas, extra_args=None, callback=None, disable=None):
            return comfy.k_diffusion.sampling.sample_euler(model, x, sigmas, extra_args, None, disable)

        assert support(silent).own_latent() is None

    def test_one_that_is_no_function_is_tried_by_its_own_method(self):
        class Wrapped(comfy.samplers.Sampler):
            def __init__(self):
                self.inner = comfy.samplers.sampler_object("heun")

            def sample(self, *arguments):
                return self.inner.sample(*arguments)

        found = support(Wrapped())
        assert found.own_latent() == (1, *[2] * (STEPS - 1)) and found.pair_noise() is None

    def test_one_that_wraps_another_and_shifts_its_noise_levels_is_what_the_other_is(self):
        def detailed(model, x, sigmas, extra_args=None, callback=None, disable=None, wrapped=None, **options):
            def shifted(x, sigma, **arguments):
                return model(x, sigma * 0.9, **arguments)

            shifted.inner_model = model.inner_model
            settings = {"extra_args": extra_args, "callback": callback, "disable": disable, **options}
            return wrapped.sampler_function(shifted, x, sigmas, **settings)

        for name in ("heun", "dpmpp_2s_ancestral", "uni_pc"):
            found, plain = support(detailed, wrapped=comfy.samplers.sampler_object(name)), support(name)
            assert found.own_latent() == plain.own_latent() and found.pair_noise() == plain.pair_noise()

    def test_one_that_scales_by_the_batch_is_not_the_image_alone(self):
        def normalised(model, x, sigmas, extra_args=None, callback=None, disable=None):
            x = comfy.k_diffusion.sampling.sample_euler(model, x, sigmas, extra_args, callback, disable)
            return x / x.std()

        with pytest.raises(HRVError, match="sampler normalised looks at all images of a batch together"):
            support(normalised).pair_noise()

    def test_one_that_fails_on_a_toy_is_refused_with_its_reason(self):
        def choosy(model, x, sigmas, extra_args=None, callback=None, disable=None):
            raise ValueError("only 5-D video latents")

        for ask in (SamplerSupport.own_latent, SamplerSupport.pair_noise, SamplerSupport.rows_alone):
            with pytest.raises(HRVError, match="sampler choosy failed.*ValueError: only 5-D video latents.*Use euler"):
                ask(support(choosy))


class TestTraces:
    def test_random_numbers_options_and_noise_levels_are_as_they_were(self):
        found = support("euler_ancestral", eta=0.7)
        state, sigmas, options = torch.get_rng_state(), found.sigmas.clone(), found.sampler.extra_options
        found.own_latent(), found.rows_alone(), found.pair_noise()
        support("uni_pc").own_latent()  # which writes into its noise levels
        assert torch.equal(torch.get_rng_state(), state) and torch.equal(found.sigmas, sigmas)
        assert found.sampler.extra_options is options and options == {"eta": 0.7}

    def test_a_verdict_is_found_once_for_a_function_and_its_options(self, monkeypatch):
        rehearsals = []

        def counted(*arguments, **named):
            rehearsals.append(arguments)
            return rehearse(*arguments, **named)

        monkeypatch.setattr(sampler_support, "rehearse", counted)
        monkeypatch.setattr(sampler_support, "_verdicts", {})
        for _ in range(3):
            found = support("euler", s_churn=0.0)
            found.own_latent(), found.rows_alone(), found.pair_noise()
        first = len(rehearsals)
        assert first <= 8
        support("euler", s_churn=1.0).own_latent()
        assert len(rehearsals) > first

    def test_a_rehearsal_of_moves_has_the_length_and_the_end_of_the_run(self):
        sigmas = support("euler", 20).sigmas
        for levels in (sigmas, sigmas[:-1], sigmas[:8]):
            fine = finely_spaced(levels)
            assert len(fine) == len(levels) and float(fine[-1]) == pytest.approx(float(levels[-1]))
            assert float(fine.max()) <= float(levels.max()) * (1 + 1e-6)
            assert (fine[1:] < fine[:-1]).all()


class TestFunctionsOfGuidance:
    def test_one_that_looks_at_the_whole_batch_is_found(self):
        def mean_of_all(arguments):
            return arguments["denoised"] * (1 + arguments["cond_denoised"].mean())

        def image_by_image(arguments):
            return arguments["denoised"] * 0.9

        assert not support("euler").rows_alone({"sampler_post_cfg_function": [mean_of_all]})
        assert support("euler").rows_alone({"sampler_post_cfg_function": [image_by_image]})

    @pytest.mark.parametrize("node, alone", [(Mahiro, False), (CFGZeroStar, True), (TCFG, True)])
    def test_those_of_the_hosts_nodes_have_their_verdict(self, trio, node, alone):
        assert support("euler").rows_alone(node.execute(trio.model).args[0].model_options) == alone

    def test_one_that_asks_the_model_again_cannot_be_tried(self):
        def asks(arguments):
            conds = [arguments["cond"]]
            return comfy.samplers.calc_cond_batch(
                arguments["model"], conds, arguments["input"], arguments["sigma"], arguments["model_options"]
            )[0]

        with pytest.raises(HRVError, match="failed"):
            support("euler").rows_alone({"sampler_post_cfg_function": [asks]})
