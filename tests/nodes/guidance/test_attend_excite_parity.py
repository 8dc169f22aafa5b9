"""HRV Attend & Excite against diffusers' own pipeline: the same weights, noise and DDIM steps, other code throughout.

What remains different: the pipeline measures losses after the last altered step and twice at the start of a refinement,
without using them; its last step ends at the first noise level instead of zero unless told otherwise; and its initial
latent is the noise itself, where ComfyUI's is noise times sigma / sqrt(1 + sigma^2), less than one per cent smaller.
"""

from __future__ import annotations

import warnings

import comfy.sample
import comfy.samplers
import pytest
import torch

import nodes
from comfyui_hrv.nodes.editing.plms_sampler import HRVPLMSSampler
from comfyui_hrv.nodes.guidance.attend_excite import HRVAttendExcite
from comfyui_hrv.nodes.host.guidance import losses_of
from comfyui_hrv.nodes.prompt import HRVPrompt

from ..diffusers_twin import SHALLOW, diffusers_twin
from ..explicit import relative
from ..tiny import Trio, tiny_trio

STEPS, CFG, SIDE = 10, 5.0, 16  # latent side; the layers that are read have maps of half of it
TEXT, WORDS, INDICES = "a cat and a dog", "cat, dog", [2, 5]
SCALE = 0.18215


@pytest.fixture(scope="module")
def trio() -> Trio:
    with torch.inference_mode():
        return tiny_trio(config=SHALLOW)


def by_the_pipeline(
    trio: Trio, noise: torch.Tensor, altered: int, thresholds: dict, step_size: float, rounds: int, pndm: bool = False
):
    """(clean latent, losses by step in the order they were measured) of StableDiffusionAttendAndExcitePipeline."""
    from diffusers import DDIMScheduler, PNDMScheduler, StableDiffusionAttendAndExcitePipeline

    betas = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
    shared = {**betas, "set_alpha_to_one": True, "steps_offset": 1}
    scheduler = PNDMScheduler(**shared, skip_prk_steps=True) if pndm else DDIMScheduler(**shared, clip_sample=False)
    measured: list[list[float]] = []

    class Recorded(StableDiffusionAttendAndExcitePipeline):
        @staticmethod
        def _compute_loss(max_attention_per_index):
            loss = StableDiffusionAttendAndExcitePipeline._compute_loss(max_attention_per_index)
            measured[-1].append(float(torch.as_tensor(loss).detach()))
            return loss

        def _perform_iterative_refinement_step(self, **arguments):
            return super()._perform_iterative_refinement_step(**arguments, max_refinement_steps=rounds)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        pipeline = Recorded(None, None, None, diffusers_twin(trio.model), scheduler, None, None, False)
    pipeline.set_progress_bar_config(disable=True)
    measured.append([])
    context = [trio.encode(text)[0][0].clone() for text in (TEXT, "")]
    latent = pipeline(
        prompt=None, token_indices=INDICES, height=8 * SIDE, width=8 * SIDE, num_inference_steps=STEPS,
        guidance_scale=CFG, latents=noise, prompt_embeds=context[0], negative_prompt_embeds=context[1],
        output_type="latent", max_iter_to_alter=altered, thresholds=thresholds, scale_factor=step_size,
        attn_res=(SIDE // 2, SIDE // 2), callback=lambda *_: measured.append([]),
    ).images  # fmt: skip
    return latent / SCALE, measured[:STEPS]


@pytest.mark.parametrize(
    "altered, thresholds, rounds, step_size",
    [(STEPS, {}, 20, 20.0), (5, {0: 0.05, 2: 0.5, 4: 0.8}, 20, 20.0), (5, {0: 0.05, 2: 0.5}, 4, 200.0)],
    ids=["every step once", "refined", "capped, larger steps"],
)
def test_losses_and_latents_are_those_of_the_diffusers_pipeline(trio, altered, thresholds, rounds, step_size):
    noise = torch.randn(1, 4, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    sigma = comfy.samplers.calculate_sigmas(trio.model.get_model_object("model_sampling"), "ddim_uniform", STEPS)[0]
    start = noise * sigma / (1 + sigma**2).sqrt()
    expected, theirs = by_the_pipeline(trio, start, altered, thresholds, step_size, rounds)
    with torch.inference_mode():
        text = ", ".join(f"{step}:{value}" for step, value in thresholds.items())
        model, positive = HRVAttendExcite.execute(
            trio.model, HRVPrompt.execute(trio.clip, TEXT).args[0], WORDS, "original", "", "all tokens", 100.0, text,
            rounds, True, altered, step_size, False,
        ).args  # fmt: skip
        latent = {"samples": torch.zeros(1, 4, SIDE, SIDE)}
        settings = (1, STEPS, CFG, "ddim", "ddim_uniform", positive, trio.encode(""), latent)
        ours = nodes.common_ksampler(model, *settings)[0]["samples"]
        plain = nodes.common_ksampler(trio.model, *settings)[0]["samples"]
    assert relative(ours, expected) <= 1e-5
    assert relative(ours, plain) > 1e-2
    for _, step, found in losses_of(model).rows:
        refined = len(theirs[step]) > 1
        wanted = [theirs[step][0], *theirs[step][2:]] if refined else theirs[step]
        assert [loss for (loss,) in found] == pytest.approx(wanted, rel=1e-5)
    assert [step for _, step, _ in losses_of(model).rows] == list(range(altered))
    if thresholds:
        assert max(map(len, theirs)) > 3


@pytest.mark.parametrize("altered, thresholds", [(STEPS + 1, {}), (5, {0: 0.05, 2: 0.5}), (2, {}), (1, {})])
def test_under_plms_every_call_is_altered_and_counted_as_under_pndm(trio, altered, thresholds):
    """PNDM calls the model once more than it has steps; the authors' code moves and counts that trial call too."""
    noise = torch.randn(1, 4, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    sigmas = comfy.samplers.calculate_sigmas(trio.model.get_model_object("model_sampling"), "ddim_uniform", STEPS)
    start = noise * sigmas[0] / (1 + sigmas[0] ** 2).sqrt()
    expected, _ = by_the_pipeline(trio, start, altered, thresholds, 20.0, 20, pndm=True)
    with torch.inference_mode():
        text = ", ".join(f"{step}:{value}" for step, value in thresholds.items())
        model, positive = HRVAttendExcite.execute(
            trio.model, HRVPrompt.execute(trio.clip, TEXT).args[0], WORDS, "original", "", "all tokens", 100.0, text,
            20, True, altered, 20.0, False,
        ).args  # fmt: skip
        plms = HRVPLMSSampler.execute().args[0]
        ends = (positive, trio.encode(""), torch.zeros(1, 4, SIDE, SIDE))
        begun = comfy.sample.prepare_noise(ends[2], 1)
        ours = comfy.sample.sample_custom(model, begun, CFG, plms, sigmas, *ends)
    assert relative(ours, expected) <= 1e-4
    assert [row.step for row in losses_of(model).rows] == list(range(altered))
