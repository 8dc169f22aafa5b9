"""HRV Build by Effect in real ComfyUI: true derivatives, exact identities, parts, cancel, and errors that help."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import comfy.hooks
import comfy.model_management
import comfy.samplers
import numpy as np
import pytest
import torch

from comfyui_hrv.hrv_engine.benchmarks.prompts import PromptSet
from comfyui_hrv.hrv_engine.errors import HRVError
from comfyui_hrv.hrv_engine.relevance import files
from comfyui_hrv.hrv_engine.relevance.build_settings import FORWARD, BuildSettings, EffectSettings
from comfyui_hrv.hrv_engine.relevance.concepts import Concept, ConceptSet
from comfyui_hrv.hrv_engine.relevance.samples import SampleSet, Templates
from comfyui_hrv.nodes.host import effect as host_effect
from comfyui_hrv.nodes.host.build import build
from comfyui_hrv.nodes.host.build_effect import build_by_effect, columns_of
from comfyui_hrv.nodes.host.unet import layout_of

from ..neighbours.neighbours import RegionalUNet
from ..tiny import UNET, Trio, tiny_sdxl, tiny_trio
from .slopes import Values

pytestmark = pytest.mark.usefixtures("inference_mode")
CONCEPTS = ConceptSet("two", (Concept("Color", ("red", "blue")), Concept("Animals", ("dog", "very big cat"))))
TEMPLATES = Templates.parse("Color: a {} house\nall: a photo [of a {}]")
SETTINGS = EffectSettings(64, 64, 6, 5.0, "euler", "normal", 7, 1, 2, 1)
SD2 = UNET | {"use_linear_in_transformer": True, "num_heads": -1, "num_head_channels": 16}


def tiny_sd2() -> Trio:
    """A tiny UNet of SD2.x's kind: heads of a fixed width, linear projections."""
    return tiny_trio(config=SD2)


def run(trio: Trio, path: Any = None, rounds: int = 1, samples: SampleSet | None = None, **changes: Any) -> Any:
    named = {key: changes.pop(key) for key in ("start", "count", "resume") if key in changes}
    settings = replace(SETTINGS, **changes)
    return build_by_effect(
        trio.model, trio.clip, samples or SampleSet(CONCEPTS, TEMPLATES, rounds), settings, path=path, **named
    )


@pytest.mark.parametrize("make", [tiny_trio, tiny_sd2, tiny_sdxl], ids=["SD1.5", "SD2", "SDXL"])
def test_the_gradient_is_that_of_finite_differences_and_sums_over_a_layer_to_scaling_it(make, monkeypatch):
    trio, values = make(), Values(monkeypatch)
    effects = run(trio, count=1).sums[0] * 2.0**-24
    steps = values.steps
    assert len(steps) == SETTINGS.timesteps
    slopes = np.mean([step["slopes"] for step in steps], axis=0)
    assert steps[0]["directions"] @ effects == pytest.approx(slopes, rel=1e-2, abs=1e-2 * np.abs(slopes).max())
    assert effects.sum() == pytest.approx(np.mean([step["all"] for step in steps]), rel=1e-2)
    layout = layout_of(trio.model)
    largest = max(abs(step["layers"][site.key]) for step in steps for site in layout.sites)
    for site in layout.sites:
        whole = np.mean([step["layers"][site.key] for step in steps])
        assert effects[layout.head_range(site.key)].sum() == pytest.approx(whole, rel=1e-2, abs=1e-2 * largest)


def test_integrated_effects_sum_to_what_goes_through_the_words_values(trio, monkeypatch):
    values = Values(monkeypatch)
    effects = run(trio, count=1, integration=8).sums[0] * 2.0**-24
    through = np.mean([step["through"] for step in values.steps])
    assert effects.sum() == pytest.approx(through, rel=1e-3)
    assert abs(run(trio, count=1).sums[0].sum() * 2.0**-24 - through) > 5 * abs(effects.sum() - through)


def test_without_a_gradient_the_same_heads_are_found(trio):
    exact = run(trio, count=2).word_means[:2]
    for pairs, least in ((0, 0.999), (64, 0.95)):
        found = run(trio, count=2, estimate=FORWARD, pairs=pairs, batch_size=16)
        means = found.word_means[:2]
        cosines = (exact * means).sum(axis=1) / np.linalg.norm(exact, axis=1) / np.linalg.norm(means, axis=1)
        assert cosines.min() > least
        assert found.errors is not None and np.sqrt(found.errors[0] * 2.0**-24).max() < np.abs(exact[0]).max()


@pytest.mark.parametrize("changes", [{}, {"batch_size": 3}, {"estimate": FORWARD, "pairs": 4}])
def test_parts_merge_to_the_bytes_of_one_build(trio, tmp_path, changes):
    run(trio, tmp_path / "whole.safetensors", 2, **changes)
    cuts = [(0, 3), (3, 4), (7, 0)]
    parts = []
    for number, (start, count) in enumerate(cuts):
        run(trio, tmp_path / f"{number}.safetensors", 2, start=start, count=count, **changes)
        parts.append(files.load(tmp_path / f"{number}.safetensors").sums)
    files.save(tmp_path / "merged.safetensors", (parts[2] + (parts[0] + parts[1])).relevance())
    assert (tmp_path / "merged.safetensors").read_bytes() == (tmp_path / "whole.safetensors").read_bytes()


def test_a_batch_changes_effects_by_rounding_only(trio):
    one, three = run(trio, rounds=2), run(trio, rounds=2, batch_size=3)
    assert np.abs(one.sums - three.sums).max() < 1e-4 * np.abs(one.sums).max()


def test_saving_memory_changes_nothing(trio):
    assert np.array_equal(run(trio, count=2).sums, run(trio, count=2, save_memory=True).sums)


def test_a_cancelled_build_keeps_what_was_measured_and_goes_on(trio, tmp_path, monkeypatch):
    path, drawn = tmp_path / "build.safetensors", []
    measure = host_effect.measure

    def cancelled(*args: Any) -> Any:
        if len(drawn) == 2:
            raise comfy.model_management.InterruptProcessingException
        drawn.append(1)
        return measure(*args)

    from comfyui_hrv.nodes.host import build_effect

    monkeypatch.setattr(build_effect, "measure", cancelled)
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        run(trio, path)
    assert files.load(path).sums.images == 2
    monkeypatch.setattr(build_effect, "measure", lambda *args: drawn.append(1) or measure(*args))
    effects = run(trio, path)
    assert len(drawn) == 4 and effects.images == 4
    assert np.array_equal(effects.sums, run(trio).sums)


def test_a_finished_build_goes_on_with_more_samples(trio, tmp_path):
    path = tmp_path / "build.safetensors"
    run(trio, path)
    assert np.array_equal(run(trio, path, rounds=2).sums, run(trio, rounds=2).sums)


def test_other_settings_do_not_go_on(trio, tmp_path):
    path = tmp_path / "build.safetensors"
    run(trio, path, count=1)
    for changes, named in (({"timesteps": 1}, "timesteps"), ({"estimate": FORWARD}, "estimate"), ({"cfg": 2.0}, "cfg")):
        with pytest.raises(HRVError, match=f"{named} is"):
            run(trio, path, **changes)


def test_a_word_that_changes_nothing_is_named_with_its_prompts(trio, monkeypatch):
    from comfyui_hrv.nodes.host import build_effect

    encode = build_effect.encode_once
    monkeypatch.setattr(build_effect, "encode_once", lambda clip, text: encode(clip, text.replace("red ", "")))
    with pytest.raises(HRVError) as raised:
        run(trio, count=1)
    for said in ('"red"', '"Color"', '"a red house"', '"a house"', "Choose another word"):
        assert said in str(raised.value)


def test_the_columns_are_those_of_the_word(trio):
    samples = SampleSet(CONCEPTS, TEMPLATES).samples
    assert columns_of(trio.clip, samples[0]) == (2,)  # begin, a, red, house
    assert columns_of(trio.clip, samples[3]) == (5, 6, 7)  # begin, a, photo, of, a, very, big, cat


def test_a_long_prompt_is_measured_where_its_word_is(trio):
    long = "a house, " * 40 + "[with a {}]"
    samples = SampleSet(CONCEPTS.keep(["Animals"]), Templates.parse(f"all: {long}"))
    effects = run(trio, samples=samples, batch_size=2)
    assert effects.images == 2 and (np.abs(effects.sums).max(axis=1) > 0).all()


def test_weights_and_model_are_left_as_they_were(trio):
    model = trio.model.model.diffusion_model
    before = {name: (value.data_ptr(), value.clone()) for name, value in model.state_dict().items()}
    options = repr(sorted(trio.model.model_options))
    run(trio, count=1)
    for name, value in model.state_dict().items():
        assert value.data_ptr() == before[name][0] and torch.equal(value, before[name][1])
    assert repr(sorted(trio.model.model_options)) == options
    assert not any("forward" in module.__dict__ for module in model.modules())


def test_a_plain_run_after_a_build_has_the_same_bits(trio):
    def plain() -> torch.Tensor:
        return trio.sample(trio.model, trio.encode("a red dog"), trio.encode(""))

    before = plain()
    run(trio, count=1)
    assert torch.equal(plain(), before)


@pytest.mark.parametrize("sampler, scheduler", [("heun", "karras"), ("dpmpp_2m", "normal"), ("ddim", "ddim_uniform")])
def test_every_sampler_measures_so_many_steps(trio, sampler, scheduler, monkeypatch):
    values = Values(monkeypatch)
    effects = run(trio, count=1, sampler_name=sampler, scheduler=scheduler, timesteps=3, steps=10)
    assert len(values.steps) == 3 and effects.images == 1


def test_a_gradient_that_is_not_to_be_had_names_the_way_without(trio, monkeypatch):
    def refuse(*args: Any, **named: Any) -> Any:
        raise RuntimeError("element 0 of tensors does not require grad and does not have a grad_fn")

    monkeypatch.setattr(torch.autograd, "grad", refuse)
    with pytest.raises(HRVError, match=FORWARD):
        run(trio, count=1)
    monkeypatch.setattr(torch.autograd, "grad", lambda *args, **named: (_ for _ in ()).throw(torch.OutOfMemoryError()))
    with pytest.raises(HRVError, match="save_memory"):
        run(trio, count=1)
    assert run(trio, count=1, estimate=FORWARD, pairs=2).images == 1


def test_an_encoder_whose_hooks_follow_a_schedule_is_refused_and_not_read_in_part(trio):
    hooks, frames = comfy.hooks.create_hook_lora({}, 1.0, 1.0), comfy.hooks.HookKeyframeGroup()
    for strength, start in ((1.0, 0.0), (0.5, 0.5)):
        frames.add(comfy.hooks.HookKeyframe(strength, start_percent=start))
    hooks.set_keyframes_on_hooks(frames)
    clip = trio.clip.clone()
    clip.patcher.forced_hooks, clip.use_clip_schedule = hooks, True
    prompts = PromptSet("one", ("a red dog",))
    with pytest.raises(HRVError, match="2 times.*schedule_clip"):
        build_by_effect(trio.model, clip, SampleSet(CONCEPTS, TEMPLATES), SETTINGS)
    with pytest.raises(HRVError, match="2 times.*schedule_clip"):
        build(trio.model, clip, CONCEPTS, prompts, BuildSettings(64, 64, 2))


@pytest.mark.parametrize("changes", [{"batch_size": 3}, {"estimate": FORWARD, "pairs": 4, "batch_size": 4}])
def test_a_unet_that_runs_its_rows_one_by_one_gets_every_row_its_own_factors(changes):
    trio = tiny_trio()
    usual = run(trio, **changes)
    trio.model.model.diffusion_model.__class__ = RegionalUNet
    found = run(trio, **changes)
    assert np.abs(found.sums - usual.sums).max() < 1e-3 * np.abs(usual.sums).max()
