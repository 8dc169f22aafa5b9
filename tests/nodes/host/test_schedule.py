"""A run that is a part of a schedule counts its steps in the whole: two samplers in a row equal one."""

from __future__ import annotations

import comfy.samplers
import pytest
import torch

import nodes
from comfyui_hrv.hrv_engine.errors import HRVError
from comfyui_hrv.nodes.host.schedule import is_part, whole_schedule

from ..explicit import relative
from ..neighbours.test_beside_others import REST, edit, guided, prompt

pytestmark = pytest.mark.usefixtures("inference_mode")
STEPS, CUT = 10, 5


def advanced(trio, model, positive, latent, scheduler: str, sampler: str, first: int, last: int):
    """core's KSampler (Advanced) on a part of the steps."""
    return nodes.KSamplerAdvanced().sample(
        model, "enable" if first == 0 else "disable", 3, STEPS, 5.0, sampler, scheduler, positive, trio.encode(""),
        latent, first, last, "enable" if last < STEPS else "disable",
    )[0]  # fmt: skip


@pytest.mark.parametrize("scheduler", ["normal", "karras", "ddim_uniform", "simple"])
@pytest.mark.parametrize("sampler", ["euler", "dpm_2"])
def test_an_edit_in_two_parts_equals_the_edit_in_one(trio, scheduler, sampler):
    model, positive, latent = edit(trio, trio.model)
    whole = advanced(trio, model, positive, latent, scheduler, sampler, 0, STEPS)
    first = advanced(trio, model, positive, latent, scheduler, sampler, 0, CUT)
    second = advanced(trio, model, positive, {**latent, **first}, scheduler, sampler, CUT, STEPS)
    assert relative(second["samples"], whole["samples"]) <= 1e-5


def test_guidance_in_two_parts_alters_the_steps_it_alters_in_one(trio):
    model, positive = guided(trio, trio.model)
    latent = nodes.EmptyLatentImage().generate(64, 64, 1)[0]
    whole = advanced(trio, model, positive, latent, "normal", "euler", 0, STEPS)
    first = advanced(trio, model, positive, latent, "normal", "euler", 0, CUT)
    second = advanced(trio, model, positive, first, "normal", "euler", CUT, STEPS)
    assert relative(second["samples"], whole["samples"]) <= 1e-5


def test_a_local_blend_begins_where_it_begins_in_one_run(trio):
    model, positive, latent = edit(trio, trio.model, rest=(*REST[:11], "car", 0.3, 0.7, 1))
    first = advanced(trio, model, positive, latent, "normal", "euler", 0, CUT)
    plain_model, plain, _ = edit(trio, trio.model)
    expected = advanced(trio, plain_model, plain, latent, "normal", "euler", 0, CUT)
    assert not torch.equal(first["samples"], torch.zeros_like(first["samples"]))
    # before step 7 of 10 the blend changes nothing while sampling; at the end of a run it is applied
    assert relative(first["samples"][:1], expected["samples"][:1]) <= 1e-5


@pytest.mark.parametrize("name", comfy.samplers.SCHEDULER_NAMES)
@pytest.mark.parametrize("steps", [7, 20, 30])
def test_every_scheduler_s_parts_are_placed(trio, name, steps):
    sampling = trio.model.get_model_object("model_sampling")
    levels = comfy.samplers.calculate_sigmas(sampling, name, steps).tolist()
    for first, last in ((0, 4), (3, len(levels) - 1), (2, 6)):
        found = whole_schedule(sampling, levels[first : last + 1])
        assert found.index(pytest.approx(levels[first], rel=1e-4)) == first
        ambiguous = name == "sgm_uniform" and last < len(levels) - 1  # its first steps are those of normal, one more
        assert len(found) == len(levels) + ambiguous


def test_a_part_of_no_known_schedule_is_refused_and_a_whole_run_is_itself(trio):
    sampling = trio.model.get_model_object("model_sampling")
    with pytest.raises(HRVError, match="from noise level 9 to 2 in 3 steps"):
        whole_schedule(sampling, [9.0, 7.77, 3.33, 2.0])
    odd = [float(sampling.sigma_max), 5.5, 1.23, 0.0]
    assert whole_schedule(sampling, odd) == odd
    assert not is_part(odd, torch.ones(1)) and is_part(odd, torch.zeros(1)) and is_part([3.0, 1.0], torch.ones(1))


def test_the_prompt_alone_needs_no_schedule(trio):
    """Without windows in steps a part of any schedule is sampled as before."""
    model, _ = guided(trio, trio.model)
    sigmas = torch.tensor([9.0, 7.77, 3.33, 2.0])
    latent = torch.zeros(1, 4, 8, 8)
    ends = (prompt(trio, "a car"), trio.encode(""), latent)
    euler = comfy.samplers.sampler_object("euler")
    drawn = [
        comfy.sample.sample_custom(m, torch.ones_like(latent), 5.0, euler, sigmas, *ends) for m in (model, trio.model)
    ]
    assert torch.equal(*drawn)
