"""Inversion, replay, local blend and PLMS in real ComfyUI, on the tiny model."""

from __future__ import annotations

import comfy.model_management
import comfy.sample
import comfy.samplers
import pytest
import torch

import nodes
from comfyui_hrv.hrv_engine.editing.local_blend import blend_blocks, blend_mask
from comfyui_hrv.hrv_engine.editing.paired_edit import CrossEdit
from comfyui_hrv.hrv_engine.errors import HRVError
from comfyui_hrv.nodes.editing.ddim_invert import HRVDDIMInvert
from comfyui_hrv.nodes.editing.plms_sampler import HRVPLMSSampler
from comfyui_hrv.nodes.host.conditioning import KEY
from comfyui_hrv.nodes.host.families.unet_layers import downsampling
from comfyui_hrv.nodes.host.paired_prompts import REPLAY
from comfyui_hrv.nodes.host.unet import layout_of

from ..explicit import relative
from ..explicit_pairs import ExplicitPairs
from ..tiny import Trio
from .test_other_edits import METHODS
from .test_p2p_edit import SOURCE, TARGET, alone, draw, edited, plain

pytestmark = pytest.mark.usefixtures("inference_mode")
STEPS = 6


@pytest.fixture(scope="module")
def image() -> dict:
    """A latent like that of a photograph."""
    return {"samples": torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(8))}


def inverted(trio: Trio, image: dict, prompt: str = SOURCE, steps: int = STEPS, label: str = "target") -> tuple:
    """(LATENT, report) of the node."""
    return HRVDDIMInvert.execute(trio.model, trio.encode(prompt), image, steps, "normal", label, True).args


def error(report: str) -> float:
    return float(report.rsplit(" ", 1)[1].rstrip("%"))


@pytest.mark.parametrize("label", ["target", "current"])
def test_more_steps_bring_the_image_back_better(trio, image, label):
    few, many = (error(inverted(trio, image, steps=steps, label=label)[1]) for steps in (4, 40))
    assert many < few / 2


def test_the_start_latent_is_what_the_stock_sampler_starts_from(trio, image):
    latent, report = inverted(trio, image)
    settings = (1, STEPS, 1.0, "euler", "normal", trio.encode(SOURCE), trio.encode(""), latent)
    back = nodes.common_ksampler(trio.model, *settings, disable_noise=True)[0]["samples"]
    difference = float((back - image["samples"]).norm() / image["samples"].norm())
    assert error(report) == pytest.approx(100 * difference, abs=0.06)


@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m", "heun"])
@pytest.mark.parametrize("method", ["p2p", *METHODS])
def test_every_method_edits_a_real_image_and_gives_the_image_itself_back_exactly(trio, image, method, sampler):
    latent, _ = inverted(trio, image)
    if method == "p2p":
        made = edited(trio, latent=latent)
    else:
        node, settings, _ = METHODS[method]
        prompts = trio.encode(SOURCE), trio.encode(TARGET)
        made = node.execute(trio.model, *prompts, latent, **settings, seeds=1).args
    source, target = draw(trio, made, steps=STEPS, sampler=sampler)
    assert relative(source[None], image["samples"]) <= 1e-5
    assert relative(target, source) > 1e-2 and target.isfinite().all()


def test_the_noise_of_the_sampler_does_not_matter(trio, image):
    made = edited(trio, latent=inverted(trio, image)[0])
    assert torch.equal(draw(trio, made, steps=STEPS, seed=1), draw(trio, made, steps=STEPS, seed=2))


def test_the_target_starts_where_the_inversion_ended(trio, image):
    latent, _ = inverted(trio, image)
    made = edited(trio, latent=latent, cross_replace=0.0, self_replace=0.0)
    settings = (1, STEPS, 5.0, "euler", "normal", trio.encode(TARGET), trio.encode(""), latent)
    expected = nodes.common_ksampler(trio.model, *settings, disable_noise=True)[0]["samples"]
    assert relative(draw(trio, made, steps=STEPS)[1:], expected) <= 1e-4


@pytest.mark.parametrize(
    "settings, quoted",
    [
        ({"steps": STEPS + 1, "sampler": "euler"}, "steps and the scheduler"),
        *[({"sampler": name}, f"sampler {name} does not show") for name in ("uni_pc", "sa_solver", "dpm_fast")],
    ],
)
def test_another_schedule_and_a_sampler_out_of_reach_are_refused(trio, image, settings, quoted):
    with pytest.raises(HRVError, match=quoted):
        made = edited(trio, latent=inverted(trio, image)[0])
        model, positive, latent = made
        scheduler = "karras" if "steps" in settings else "normal"
        nodes.common_ksampler(
            model,
            1,
            settings.get("steps", STEPS),
            5.0,
            settings["sampler"],
            scheduler,
            positive,
            trio.encode(""),
            latent,
        )


@pytest.mark.parametrize("latent, quoted", [(torch.ones(2, 4, 8, 8), "2 images"), (torch.zeros(1, 4, 8, 8), "empty")])
def test_several_or_no_images_are_refused(trio, latent, quoted):
    with pytest.raises(HRVError, match=quoted):
        inverted(trio, {"samples": latent})


def test_several_seeds_of_a_real_image_are_refused(trio, image):
    with pytest.raises(HRVError, match="seeds is 2"):
        edited(trio, latent=inverted(trio, image)[0], seeds=2)


def test_an_inverted_latent_of_another_size_is_refused(trio, image):
    latent = dict(inverted(trio, image)[0])
    latent["samples"] = torch.ones(1, 4, 16, 8)
    with pytest.raises(HRVError, match=r"inverted at \(8, 8\) and changed to \(16, 8\)"):
        edited(trio, latent=latent)


def test_cancelling_stops_an_inversion_at_its_next_step(trio, image, monkeypatch):
    steps: list[int] = []

    def asked():
        steps.append(1)
        if len(steps) == 3:
            raise comfy.model_management.InterruptProcessingException

    monkeypatch.setattr(comfy.model_management, "throw_exception_if_processing_interrupted", asked)
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        inverted(trio, image)
    assert len(steps) == 3 < STEPS


def test_nothing_of_the_way_is_left_in_the_latent_for_the_sampler(trio, image):
    assert REPLAY not in edited(trio, latent=inverted(trio, image)[0])[2]


class TestLocalBlend:
    def test_a_mask_of_everything_changes_nothing(self, trio):
        plain_edit = draw(trio, edited(trio))
        blend = draw(trio, edited(trio, blend_words="car", blend_threshold=0.0, blend_start=0.0))
        assert relative(blend, plain_edit) <= 1e-5  # every place looks at the word a little

    def test_a_mask_of_nothing_gives_the_source(self, trio):
        source, target = draw(trio, edited(trio, blend_words="car", blend_threshold=1.0, blend_start=0.0))
        assert torch.equal(source, target)

    def test_the_source_row_never_changes(self, trio):
        blend = draw(trio, edited(trio, blend_words="car", blend_threshold=0.9))
        assert relative(blend[:1], alone(trio, SOURCE, steps=4)) <= 1e-5

    def test_the_mask_is_that_of_the_explicit_edited_maps_of_all_steps(self, trio):
        made = edited(trio, blend_words="car", blend_threshold=0.9, blend_start=1.0, cross_replace=0.5)
        seen: list[torch.Tensor] = []

        class Looking(ExplicitPairs):
            def _cross(self, q, k, v, options):
                from comfyui_hrv.hrv_engine.attention.values import attention_map

                maps = attention_map(q, k, options["n_heads"])
                for source, target in self._rows(options, q.shape[0]):
                    if self._step(options) < 2:
                        maps[target] = maps[source]
                    if (*options["block"], options["block_index"]) in blocks:
                        pair = maps[source : target + 1, :, :, 3].mean(1)
                        seen.append(pair.unflatten(-1, (4, 4)))
                return super()._cross(q, k, v, options)

        def cross(source_map, target_map, head, step):
            return source_map if step < 2 else target_map

        levels = downsampling(trio.model.model.diffusion_model)
        blocks = blend_blocks(levels)
        small = frozenset(block for block, factor in levels.items() if factor >= 2)
        explicit = Looking(layout_of(trio.model), cross, small, 2).on(trio.model)
        unblended = draw(trio, (explicit, made[1], made[2]))
        mask = blend_mask(sum(seen), 2, (8, 8), 0.9)
        expected = torch.where(mask, unblended, unblended[:1])
        assert 0 < mask[1].sum() < 64
        assert relative(draw(trio, made), expected) <= 1e-5

    def test_it_stacks_with_two_seeds(self, trio):
        made = edited(trio, blend_words="car", blend_threshold=0.9, seeds=2)
        single = edited(trio, blend_words="car", blend_threshold=0.9)
        assert relative(draw(trio, made)[:2], draw(trio, single)) <= 1e-4

    @pytest.mark.parametrize("sampler", ["uni_pc_bh2", "sa_solver_pece", "dpm_fast"])
    def test_a_sampler_that_a_blend_does_not_reach_is_refused(self, trio, sampler):
        with pytest.raises(HRVError, match=f"sampler {sampler} does not show.*blended. Use euler"):
            draw(trio, edited(trio, blend_words="car"), sampler=sampler)

    @pytest.mark.parametrize("sampler", ["heunpp2", "dpmpp_sde", "seeds_3", "dpmpp_2m_cfg_pp"])
    def test_a_mask_of_nothing_gives_the_source_under_samplers_of_many_calls(self, trio, sampler):
        made = edited(trio, blend_words="car", blend_threshold=1.0, blend_start=0.0)
        source, target = draw(trio, made, sampler=sampler)
        assert torch.equal(source, target)

    def test_a_noise_mask_is_refused(self, trio):
        latent = nodes.EmptyLatentImage().generate(64, 64, 1)[0] | {"noise_mask": torch.ones(1, 64, 64)}
        with pytest.raises(HRVError, match="noise mask"):
            draw(trio, edited(trio, latent=latent, blend_words="car"))


def test_plms_runs_as_a_sampler_in_one_call_more_than_steps_and_pairs_rows(trio):
    (sampler,) = HRVPLMSSampler.execute().args
    calls: list[int] = []

    def count(apply_model, arguments):
        calls.append(arguments["input"].shape[0])
        return apply_model(arguments["input"], arguments["timestep"], **arguments["c"])

    made = edited(trio, SOURCE, SOURCE, cross_replace=1.0, self_replace=1.0)
    model, positive, latent = made
    model = model.clone()
    model.set_model_unet_function_wrapper(count)
    sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "ddim_uniform", 5)
    noise = comfy.sample.prepare_noise(latent["samples"], 1, latent["batch_index"])
    ours = comfy.sample.sample_custom(
        model, noise, 5.0, sampler, sigmas, positive, trio.encode(""), latent["samples"], disable_pbar=True, seed=1
    )
    assert len(calls) == len(sigmas)
    assert relative(ours[1], ours[0]) <= 1e-5
    assert relative(ours, plain(trio, made, steps=5)) > 1e-3  # another sampler than euler
    assert KEY in positive[0][1]


def test_windows_under_plms_count_calls_as_the_authors_code_does(trio, monkeypatch):
    """PNDM calls the model 11 times in 10 steps: a window to 0.5 holds the first int(0.5 * 11) calls."""
    seen: list[tuple[int, int, bool]] = []
    at = CrossEdit.at

    def watched(self, step, total):
        mixing = at(self, step, total)
        seen.append((step, total, mixing is not None))
        return mixing

    monkeypatch.setattr(CrossEdit, "at", watched)
    model, positive, latent = edited(trio, SOURCE, "a red car on a road", cross_replace=0.5, self_replace=0.0)
    sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "ddim_uniform", 10)
    noise = comfy.sample.prepare_noise(latent["samples"], 1, latent["batch_index"])
    (sampler,) = HRVPLMSSampler.execute().args
    comfy.sample.sample_custom(model, noise, 5.0, sampler, sigmas, positive, trio.encode(""), latent["samples"])
    assert seen == [(call, 11, call < 5) for call in range(11)]
