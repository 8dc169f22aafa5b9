"""What the editing nodes refuse: each message quotes the input, says what is legal and how to mend it."""

from __future__ import annotations

import comfy.sample
import comfy.samplers
import pytest
import torch

import nodes
from comfyui_hrv.hrv_engine.errors import HRVError
from comfyui_hrv.nodes.editing.p2p_edit import HRVP2PEdit
from comfyui_hrv.nodes.host.capture import TokenMapRecorder
from comfyui_hrv.nodes.host.conditioning import KEY

from ..tiny import tiny_sdxl
from .test_p2p_edit import SOURCE, draw, edited, prompt

pytestmark = pytest.mark.usefixtures("inference_mode")


@pytest.mark.parametrize(
    "target, change, quoted",
    [
        ("a very red car on a road", {"mode": "replace"}, ["6 words", "7", "refine"]),
        ("a red car on a road", {"edited_word": "rad"}, ['"rad"', "a red car on a road", '"red"']),
        ("a red car on the road", {"concept": "Color"}, ['"red"', '"the"', "edited_word"]),
        (SOURCE, {"concept": "Color"}, ["nothing whose heads"]),
        ("a red car on a road", {"concept": ""}, ["Color, Plants"]),
        ("a red car on a road", {"concept": "Colour"}, ['"Colour"', '"Color"']),
        ("a red car on a road", {"equalizer": "blue: 2"}, ['"blue"', "a red car on a road"]),
        ("a red car on a road", {"blend_words": "car, bus"}, ['"bus"', "a blue car on a road"]),
        ("a red car on a road", {"word_windows": "red: 2"}, ['"red: 2"']),
        ("a red car on a road", {"self_limit": "1/8"}, ["1/8", "1/1, 1/2", "auto"]),
    ],
)
def test_words_concepts_and_limits_that_do_not_fit(trio, hrv, target, change, quoted):
    vectors = hrv if "concept" in change else None
    with pytest.raises(HRVError) as error:
        edited(trio, target=target, hrv=vectors, **change)
    assert all(part in str(error.value) for part in quoted), error.value


def test_two_changed_words_side_by_side_are_one_phrase_and_not_ambiguous(trio, hrv):
    made = edited(trio, target="a red bus on a road", hrv=hrv, concept="Color")
    edit = made[1][0][1][KEY].edit
    assert edit.cross[0].own == (2, 3)


TAGS = "a photo,1girl,solo,standing,blush,red eyes"


@pytest.mark.parametrize(
    "source, target, own",
    [
        (TAGS, TAGS.replace("red", "green"), (13,)),
        (TAGS, TAGS.replace("solo", "smiling"), (7,)),
        ("a red, shiny car", "a blue, shiny car", (2,)),
        ('a "red" car', 'a "blue" car', (3,)),
        ("a car/boat", "a car/plane", (4,)),
    ],
)
def test_r_acts_on_the_word_that_changed_and_on_no_punctuation_beside_it(trio, hrv, source, target, own):
    made = edited(trio, source, target, hrv=hrv, concept="Color")
    assert made[1][0][1][KEY].edit.cross[0].own == own


def test_a_concept_without_vectors_is_refused(trio):
    with pytest.raises(HRVError, match='"Color" needs vectors.*HRV Load'):
        edited(trio, concept="Color")


def test_a_prompt_of_another_encoder_is_refused(trio):
    latent = nodes.EmptyLatentImage().generate(64, 64, 1)[0]
    rest = ("", "", "", 0.8, 0.5, "auto", "", "", "aligned", "auto", 0.0, "", 0.3, 0.2, 1)
    with pytest.raises(HRVError, match="different text encoders: contexts of 64 and 128 channels"):
        HRVP2PEdit.execute(trio.model, prompt(trio, SOURCE), prompt(tiny_sdxl(), SOURCE), latent, *rest)


def test_a_latent_of_several_images_is_refused_with_the_seeds_to_set(trio):
    with pytest.raises(HRVError, match="3 images.*seeds to 3"):
        edited(trio, latent=nodes.EmptyLatentImage().generate(64, 64, 3)[0])


def test_combined_prompts_are_refused(trio):
    both = nodes.ConditioningCombine().combine(prompt(trio, "a cat"), prompt(trio, "a dog"))[0]
    with pytest.raises(HRVError, match="target_2 holds 2 prompts"):
        edited(trio, target_2=both)


def test_a_prompt_without_its_words_is_refused(trio):
    with pytest.raises(HRVError, match="target has no token table.*HRV Prompt"):
        edited(trio, target_2=trio.encode("a cat"))


def test_token_maps_of_stacked_prompts_are_refused(trio):
    model, positive, latent = edited(trio)
    with pytest.raises(HRVError, match="stacked prompts of an editing node"):
        TokenMapRecorder(model, positive, ["car"], 0.0, 1.0)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_sampler_whose_steps_depend_on_the_whole_batch_is_refused(trio):
    with pytest.raises(HRVError, match="sampler dpm_adaptive looks at all images.*Use euler"):
        draw(trio, edited(trio), sampler="dpm_adaptive")


@pytest.mark.parametrize("name", ["euler", "heun", "dpm_2"])
def test_churn_gives_a_pair_different_noise_and_is_refused(trio, name):
    model, positive, latent = edited(trio)
    sampler = comfy.samplers.ksampler(name, {"s_churn": 3.0})
    sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "normal", 4)
    noise = comfy.sample.prepare_noise(latent["samples"], 1, latent["batch_index"])
    with pytest.raises(HRVError, match=rf"sampler {name} \(s_churn=3.0\) draws other noise.*s_churn at 0"):
        comfy.sample.sample_custom(
            model, noise, 5.0, sampler, sigmas, positive, trio.encode(""), latent["samples"], disable_pbar=True, seed=1
        )


class TestTheLatentWire:
    """The rows of a pair come from the LATENT output of the editing node."""

    @pytest.mark.parametrize("images", [1, 3])
    def test_forgotten_it_leaves_rows_that_make_no_pairs(self, trio, images):
        model, positive, _ = edited(trio)
        empty = nodes.EmptyLatentImage().generate(64, 64, images)[0]
        with pytest.raises(HRVError, match=f"2 images a pair.*holds {images}. Connect the LATENT output"):
            draw(trio, (model, positive, empty))

    def test_a_batch_in_its_place_starts_the_pair_from_different_noise(self, trio):
        model, positive, _ = edited(trio)
        batch = nodes.EmptyLatentImage().generate(64, 64, 2)[0]
        with pytest.raises(HRVError, match="start from different noise.*Connect the LATENT output"):
            draw(trio, (model, positive, batch))

    def test_random_seeds_within_a_batch_are_refused(self, trio):
        model, positive, latent = edited(trio, seeds=2)
        with pytest.raises(HRVError, match="start from different noise.*random seeds a batch"):
            draw(trio, (model, positive, {**latent, "batch_index": [0, 1, 2, 3]}))

    def test_a_second_sampler_goes_on_from_the_first_without_noise(self, trio):
        """There the latents of source and target differ, as they should."""
        model, positive, latent = edited(trio)
        settings = (4, 5.0, "euler", "normal", positive, trio.encode(""))
        first = nodes.KSamplerAdvanced().sample(model, "enable", 1, *settings, latent, 0, 2, "enable")[0]
        second = nodes.KSamplerAdvanced().sample(model, "disable", 1, *settings, first, 2, 4, "disable")[0]
        assert second["samples"].isfinite().all()


RANGE = nodes.ConditioningSetTimestepRange()


@pytest.mark.parametrize(
    "own, said",
    [
        (lambda c: nodes.ConditioningSetArea().append(c, 32, 32, 0, 0, 1.0)[0], "an area"),
        (lambda c: nodes.ConditioningSetMask().append(c, torch.ones(1, 8, 8), "default", 1.0)[0], "a mask"),
        (lambda c: RANGE.set_range(c, 0.2, 0.9)[0], "a timestep range"),
        (lambda c: [[c[0][0], {**c[0][1], "width": 512, "height": 768}]], "an image size"),
        (lambda c: [[c[0][0], {**c[0][1], "control": object()}]], "a ControlNet"),
        (lambda c: [[c[0][0], {**c[0][1], "somebody_s_key": 3}]], '"somebody_s_key"'),
    ],
)
def test_what_only_the_target_carries_is_refused_and_what_both_carry_is_kept(trio, own, said):
    source, target = prompt(trio, SOURCE), prompt(trio, "a red car on a road")
    latent = nodes.EmptyLatentImage().generate(64, 64, 1)[0]
    rest = ("", "", "", 0.8, 0.5, "auto", "", "", "aligned", "auto", 0.0, "", 0.3, 0.2, 1)
    with pytest.raises(HRVError, match=f"Target 1 carries {said}"):
        HRVP2PEdit.execute(trio.model, source, own(target), latent, *rest)
    key = next(iter(set(own(target)[0][1]) - set(target[0][1])))
    shared = own([[source[0][0], source[0][1]]])
    twin = [[target[0][0], {**target[0][1], **{k: v for k, v in shared[0][1].items() if k not in source[0][1]}}]]
    assert key in HRVP2PEdit.execute(trio.model, shared, twin, latent, *rest).args[1][0][1]
