"""Attend-and-Excite on the stock KSampler: neutral when asked nothing, exact for every image, gone without a trace."""

from __future__ import annotations

import dataclasses

import comfy.controlnet
import comfy.model_management
import pytest
import torch
from comfy.patcher_extension import WrappersMP

import nodes
from comfyui_hrv.hrv_engine.errors import HRVError
from comfyui_hrv.hrv_engine.relevance.relevance import HeadRelevance
from comfyui_hrv.nodes.guidance.attend_excite import HRVAttendExcite
from comfyui_hrv.nodes.host import control, guidance
from comfyui_hrv.nodes.host.conditioning import KEY
from comfyui_hrv.nodes.host.control import receipts_of
from comfyui_hrv.nodes.host.guidance import losses_of
from comfyui_hrv.nodes.prompt import HRVPrompt
from comfyui_hrv.nodes.steering.strengthen import HRVConceptStrengthen

from ..explicit import relative
from ..tiny import Trio, tiny_sdxl, tiny_trio
from ..vectors import random_vectors

pytestmark = pytest.mark.usefixtures("inference_mode")
TEXT = "a cat and a dog"
SETTINGS = {
    "words": "", "preset": "original", "concepts": "", "rivals": "words of the prompt", "sharpness": 30.0,
    "thresholds": "0:.9", "max_refinements": 3, "smoothing": True, "steps_to_alter": 2, "step_size": 300.0,
    "save_memory": False,
}  # fmt: skip


@pytest.fixture(scope="module")
def hrv(trio: Trio) -> HeadRelevance:
    return random_vectors(trio.model, "Animals", "Color")


def prompt(trio: Trio, text: str = TEXT) -> list:
    return HRVPrompt.execute(trio.clip, text).args[0]


def excited(trio: Trio, text: str = TEXT, model=None, positive=None, **changes):
    positive = positive or prompt(trio, text)
    return HRVAttendExcite.execute(model or trio.model, positive, **(SETTINGS | changes)).args


def sample(trio: Trio, model, positive, **settings) -> torch.Tensor:
    return trio.sample(model, positive, trio.encode(""), steps=4, **settings)


def plain(trio: Trio, **settings) -> torch.Tensor:
    return sample(trio, trio.model, trio.encode(TEXT), **settings)


@pytest.mark.parametrize(
    "neutral",
    [{"steps_to_alter": 0, "thresholds": ""}, {"step_size": 0.0}, {"steps_to_alter": 0, "max_refinements": 0}],
)
def test_with_nothing_to_alter_the_image_is_bit_identical_to_no_node(trio, neutral):
    assert torch.equal(sample(trio, *excited(trio, **neutral)), plain(trio))


def test_an_untagged_prompt_on_a_guided_model_is_bit_identical_to_plain(trio):
    model, _ = excited(trio)
    assert torch.equal(sample(trio, model, trio.encode(TEXT)), plain(trio))


def test_running_twice_and_after_a_cancelled_run_gives_the_same_and_leaves_the_plain_model_as_it_was(trio, monkeypatch):
    before, (model, positive) = plain(trio), excited(trio)
    first = sample(trio, model, positive)
    assert relative(first, before) > 1e-3
    assert torch.equal(sample(trio, model, positive), first)
    rounds = []

    def cancel():
        rounds.append(1)
        if len(rounds) == 3:
            raise comfy.model_management.InterruptProcessingException

    with monkeypatch.context() as patch:
        patch.setattr(comfy.model_management, "throw_exception_if_processing_interrupted", cancel)
        with pytest.raises(comfy.model_management.InterruptProcessingException):
            sample(trio, model, positive)
    assert len(rounds) == 3  # inside the refinement of the first step
    assert all(parameter.is_inference() for parameter in trio.model.model.parameters())
    assert torch.equal(plain(trio), before)
    assert torch.equal(sample(trio, model, positive), first)


def test_the_losses_of_the_run_are_kept_and_lie_between_zero_and_one(trio):
    model, positive = excited(trio, max_refinements=3)
    sample(trio, model, positive, batch=2)
    losses = losses_of(model)
    assert losses.steps == 4 and [(name, step) for name, step, _ in losses.rows] == [
        ("Attend & Excite", 0),
        ("Attend & Excite", 1),
    ]
    assert [len(found) for _, _, found in losses.rows] == [4, 1]
    assert all(0 <= loss <= 1 for _, _, found in losses.rows for several in found for loss in several)
    first = losses.rows[0][2]
    assert all(last < start for start, last in zip(first[0], first[-1], strict=True))  # the moves lower the loss


def test_refinement_stops_where_the_threshold_is_reached(trio):
    model, positive = excited(trio, max_refinements=20, thresholds="0:.3", step_size=1000.0)
    sample(trio, model, positive)
    found = [loss[0] for loss in losses_of(model).rows[0][2]]
    assert 3 <= len(found) < 21 and found[-2] <= 0.7 < found[-3]


def test_only_altered_steps_cost_a_gradient_and_the_negative_is_never_run_for_one(trio):
    calls = []

    def count(executor, *args, **kwargs):
        calls.append(tuple(args[5]["cond_or_uncond"]))
        return executor(*args, **kwargs)

    counted = trio.model.clone()
    counted.add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, "count", count)
    sample(trio, *excited(trio, model=counted, max_refinements=2, thresholds="1:.99"))
    assert calls == [(0,), (1, 0), (0,), (0,), (0,), (1, 0), (1, 0), (1, 0)]


def test_a_batch_of_three_is_three_single_images_each_with_its_own_losses_and_stop(trio):
    model, positive = excited(trio, max_refinements=8, thresholds="0:.27")
    together = sample(trio, model, positive, batch=3)
    table = losses_of(model).rows[0][2]
    stops = set()
    for index in range(3):
        latent = {**nodes.EmptyLatentImage().generate(64, 64, 1)[0], "batch_index": [index]}
        assert relative(sample(trio, model, positive, latent=latent), together[index : index + 1]) <= 2e-4
        own = [losses[0] for losses in losses_of(model).rows[0][2]]
        assert own == pytest.approx([losses[index] for losses in table[: len(own)]], abs=1e-4)
        stops.add(len(own))
    assert len(stops) > 1


def test_with_vectors_all_heads_are_read_weighted_and_the_image_differs_from_the_original_preset(trio, hrv):
    output = HRVAttendExcite.execute(
        trio.model, prompt(trio),
        **SETTINGS | {"preset": "hrv", "concepts": "Animals, Animals", "hrv": hrv, "layers": "all"},
    )  # fmt: skip
    total = hrv.layout.total
    assert f"reads {total} of {total} heads" in output.ui.as_dict()["text"][0]
    ours = sample(trio, *output.args)
    assert relative(ours, sample(trio, *excited(trio))) > 1e-4 and relative(ours, plain(trio)) > 1e-4


def test_layers_of_negligible_relevance_are_left_out_unless_all_are_asked_for(trio, hrv):
    values = 0.5 + hrv.values / hrv.values.max()
    last = hrv.layout.head_range(hrv.layout.sites[-1].key)
    values[:, last] = 0.001
    faint = dataclasses.replace(hrv, values=values)
    settings = SETTINGS | {"preset": "hrv", "concepts": "Animals, Animals", "hrv": faint}
    layers, notes, losses = len(hrv.layout.sites), {}, {}
    for asked in ("relevant", "all"):
        output = HRVAttendExcite.execute(trio.model, prompt(trio), **settings, layers=asked)
        sample(trio, *output.args)
        notes[asked] = (output.ui.as_dict()["text"][0], *receipts_of(output.args[0]))
        losses[asked] = losses_of(output.args[0]).rows[0][2][0]
    assert f"in {layers - 1} layers, without 0." in notes["relevant"][0] and f"in {layers} layers" in notes["all"][0]
    assert any("% of the relevance" in line for line in notes["relevant"][1:])
    assert not any("of the relevance" in line for line in notes["all"])
    assert losses["relevant"] == pytest.approx(losses["all"], rel=1e-3) and losses["relevant"] != losses["all"]


def test_what_was_made_for_a_run_is_let_go_when_it_is_over(trio, monkeypatch):
    """Aliases of the weights are: kept, they would hold a model that the host has unloaded."""
    runs: list[control.Run] = []

    class Seen(control.Run):
        def __init__(self, *given) -> None:
            super().__init__(*given)
            runs.append(self)

    monkeypatch.setattr(control, "Run", Seen)
    sample(trio, *excited(trio))
    assert len(runs) == 1 and runs[0].planned and {key[0] for key in runs[0].cache} <= {"annotated"}


def test_the_words_are_the_nouns_when_none_are_given_and_the_node_says_which(trio):
    output = HRVAttendExcite.execute(trio.model, prompt(trio, "a small cat and a dog"), **SETTINGS)
    assert "keeps cat, dog" in output.ui.as_dict()["text"][0]
    (guided,) = output.args[1][0][1][KEY].guidance
    assert guided.loss.subjects == ((3,), (6,))


def test_a_lora_is_differentiated_as_if_its_weights_were_in_the_checkpoint(trio):
    key = "diffusion_model.middle_block.1.transformer_blocks.0.attn2.to_k.weight"
    change = torch.randn(trio.model.model.state_dict()[key].shape, generator=torch.Generator().manual_seed(5))
    patched = trio.model.clone()
    patched.add_patches({key: ("diff", (change,))}, 1.0)
    with_lora = sample(trio, *excited(trio, model=patched))
    merged = tiny_trio()
    merged.model.model.state_dict()[key].add_(change)
    assert relative(with_lora, sample(merged, *excited(merged))) <= 1e-4
    assert relative(with_lora, sample(trio, *excited(trio))) > 1e-4


class FakeControl(comfy.controlnet.ControlBase):
    """Residuals of a ControlNet's shape that depend on the latent it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.full((1,), 0.2)  # an inference tensor

    def get_control(self, x_noisy, t, cond, batched_number, transformer_options):
        half = torch.nn.functional.avg_pool2d(x_noisy, 2)
        return {"middle": [(half.repeat(1, 16, 1, 1) * self.weight)], "output": [], "input": []}


def test_residuals_of_a_controlnet_take_part_and_are_constant_for_the_gradient(trio):
    positive = prompt(trio)
    positive = [[positive[0][0], {**positive[0][1], "control": FakeControl(), "control_apply_to_uncond": True}]]
    controlled = sample(trio, *excited(trio, positive=positive))
    assert controlled.isfinite().all()
    assert relative(controlled, sample(trio, trio.model, positive)) > 1e-3
    assert relative(controlled, sample(trio, *excited(trio))) > 1e-3


def test_steering_and_guidance_stack_in_either_order(trio, hrv):
    asked = (hrv, "cat", "Animals", 2.0, 0, 0.0, 0.0, 1.0)
    model, positive = HRVConceptStrengthen.execute(trio.model, prompt(trio), *asked).args
    one = sample(trio, *excited(trio, model=model, positive=positive))
    model, positive = excited(trio)
    other = sample(trio, *HRVConceptStrengthen.execute(model, positive, *asked).args)
    assert torch.equal(one, other)
    assert relative(one, sample(trio, *excited(trio))) > 1e-4


def test_two_guiding_nodes_both_act(trio):
    model, positive = excited(trio, words="cat")
    model, positive = excited(trio, model=model, positive=positive, words="dog")
    sample(trio, model, positive)
    assert [step for _, step, _ in losses_of(model).rows] == [0, 0, 1, 1]


def test_combined_prompts_are_each_guided_by_their_own_words(trio):
    other = prompt(trio, "a lonely bird")
    both = nodes.ConditioningCombine().combine(prompt(trio), other)[0]
    model, positive = excited(trio, positive=both, words="cat")
    assert [len(values[KEY].guidance) for _, values in positive] == [1, 0]
    assert relative(sample(trio, model, positive), sample(trio, trio.model, both)) > 1e-3


def test_an_area_prompt_is_guided_in_its_area(trio):
    area = nodes.ConditioningSetArea().append(prompt(trio), 32, 32, 0, 0, 1.0)[0]
    positive = [*trio.encode("a field"), *area]
    model, marked = excited(trio, positive=positive)
    moved = sample(trio, model, marked) - sample(trio, trio.model, positive)
    assert moved.abs().max() > 1e-3


@pytest.mark.parametrize("sampler", ["dpmpp_2m", "heun", "dpmpp_2s_ancestral", "dpmpp_2m_cfg_pp", "ddim"])
def test_other_samplers_are_guided_once_in_each_altered_step(trio, sampler):
    model, positive = excited(trio, thresholds="")
    guided = sample(trio, model, positive, sampler=sampler)
    assert [step for _, step, _ in losses_of(model).rows] == [0, 1]
    assert relative(guided, plain(trio, sampler=sampler)) > 1e-3


def test_a_sampler_out_of_reach_and_an_inpainting_mask_are_refused_but_only_if_something_is_asked(trio):
    model, positive = excited(trio)
    with pytest.raises(HRVError, match="sampler uni_pc"):
        sample(trio, model, positive, sampler="uni_pc")
    masked = {**nodes.EmptyLatentImage().generate(64, 64, 1)[0], "noise_mask": torch.ones(1, 64, 64)}
    with pytest.raises(HRVError, match="inpainting mask"):
        sample(trio, model, positive, latent=masked)
    assert torch.equal(sample(trio, model, trio.encode(TEXT), sampler="uni_pc"), plain(trio, sampler="uni_pc"))


def test_weights_must_be_wholly_loaded_and_a_partly_loaded_model_is_refused_with_the_reason(trio, monkeypatch):
    model, positive = excited(trio)
    asked = []
    real = comfy.model_management.load_models_gpu

    def load(*args, **kwargs):
        asked.append(kwargs.get("force_full_load"))
        return real(*args, **kwargs)

    monkeypatch.setattr(comfy.model_management, "load_models_gpu", load)
    sample(trio, model, positive)
    sample(trio, model, trio.encode(TEXT))
    assert [one for one in asked if one is not None] == [True, False]
    monkeypatch.setattr(trio.model.model, "model_lowvram", True)
    with pytest.raises(HRVError, match="only a part of the model's weights"):
        guidance.check_loaded(trio.model.model)


def test_a_model_with_streamed_weights_is_exchanged_for_its_fully_loaded_twin(trio):
    class Streamed(type(trio.model)):
        def is_dynamic(self):
            return True

        def get_non_dynamic_delegate(self):
            return trio.model.clone()

    streamed = trio.model.clone()
    streamed.__class__ = Streamed
    model, _ = excited(trio, model=streamed)
    assert not isinstance(model, Streamed) and losses_of(model) is not None


def test_saving_memory_does_not_change_the_image(trio):
    assert torch.equal(sample(trio, *excited(trio, save_memory=True)), sample(trio, *excited(trio)))


def test_sdxl_is_guided_too():
    xl = tiny_sdxl()
    assert relative(sample(xl, *excited(xl)), sample(xl, xl.model, xl.encode(TEXT))) > 1e-4


@pytest.mark.parametrize(
    "change, quoted",
    [
        ({"words": "cat, bird"}, '"bird" is not in the prompt'),
        ({"words": "and"}, '"and" names nothing'),
        ({"preset": "hrv"}, "no HRV is connected"),
        ({"thresholds": "0=.5"}, "step:value"),
    ],
)
def test_bad_settings_are_refused_with_the_fix(trio, change, quoted):
    with pytest.raises(HRVError, match=quoted):
        excited(trio, **change)


def test_concepts_that_are_not_one_a_word_are_refused_with_an_example(trio, hrv):
    with pytest.raises(HRVError, match='2 words .*1 concepts.*"Animals, Animals"'):
        excited(trio, preset="hrv", concepts="Animals", hrv=hrv)


def test_a_model_without_cross_attention_is_refused(trio):
    flux = trio.model.clone()
    flux.model = type("Flux", (), {"diffusion_model": torch.nn.Linear(1, 1), "current_patcher": None})()
    with pytest.raises(HRVError, match="Flux, SD3"):
        excited(trio, model=flux)
