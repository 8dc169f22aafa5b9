"""Steering in real ComfyUI: parity with explicit maps, neutrality, and every way conditionings reach the UNet."""

from __future__ import annotations

import comfy.ldm.modules.attention as host_attention
import comfy.model_management
import comfy.samplers
import numpy as np
import pytest
import torch

import nodes
from comfyui_hrv.hrv_engine.relevance.relevance import HeadRelevance
from comfyui_hrv.nodes.host.conditioning import KEY
from comfyui_hrv.nodes.prompt import HRVPrompt
from comfyui_hrv.nodes.steering.adjust import HRVConceptAdjust
from comfyui_hrv.nodes.steering.shared import steer, word_columns
from comfyui_hrv.nodes.steering.strengthen import HRVConceptStrengthen

from ..explicit import relative, with_explicit_maps
from ..tiny import Trio

pytestmark = pytest.mark.usefixtures("inference_mode")
PROMPT = "a vase in lavender color"
LONG = "an ugly, blurry and badly drawn image of nothing at all, " * 12


def prompt(trio: Trio, text: str = PROMPT) -> list:
    return HRVPrompt.execute(trio.clip, text).args[0]


def adjusted(model, positive, hrv, word="lavender", strength=1.0, start=0.0, end=1.0, occurrence=0, clamp=0.0):
    return HRVConceptAdjust.execute(
        model, positive, hrv, word, "Color", "Plants", 2.0, 1.0, strength, occurrence, clamp, start, end
    ).args


def factors(hrv: HeadRelevance) -> torch.Tensor:
    return torch.from_numpy(2 * hrv.row("Color") - hrv.row("Plants"))


@pytest.mark.parametrize(
    "text, word", [(PROMPT, "lavender"), ("a (lavender:1.3) vase", "lavender"), ("a rose-colored vase", "rose-colored")]
)
@pytest.mark.parametrize("negative", ["", LONG])
def test_scaling_values_equals_scaling_the_softmax_map_through_the_whole_unet(trio, hrv, text, word, negative):
    positive, against = prompt(trio, text), trio.encode(negative)
    columns = positive[0][1][KEY].table.columns_of(word)
    model, steered = adjusted(trio.model, positive, hrv, word)
    explicit = with_explicit_maps(trio.model, hrv.layout, factors(hrv), columns)
    ours, theirs = trio.sample(model, steered, against), trio.sample(explicit, positive, against)
    assert relative(ours, theirs) <= 1e-5
    assert relative(ours, trio.sample(trio.model, positive, against)) > 1e-3


def test_a_word_in_the_third_chunk_of_a_long_prompt_is_found_and_scaled(trio, hrv):
    positive = prompt(trio, LONG + PROMPT)
    columns = positive[0][1][KEY].table.columns_of("lavender")
    assert columns[0] > 2 * 77
    model, steered = adjusted(trio.model, positive, hrv)
    explicit = with_explicit_maps(trio.model, hrv.layout, factors(hrv), columns, tokens=positive[0][0].shape[1])
    assert (
        relative(trio.sample(model, steered, trio.encode("")), trio.sample(explicit, positive, trio.encode(""))) <= 1e-5
    )


def test_hrv_prompt_encodes_exactly_as_clip_text_encode(trio):
    for text in (PROMPT, "", LONG, "a (lavender:1.3) vase, ((big))"):
        ours, core = prompt(trio, text), trio.encode(text)
        assert torch.equal(ours[0][0], core[0][0])
        assert ours[0][1]["pooled_output"].equal(core[0][1]["pooled_output"])
        assert set(ours[0][1]) - set(core[0][1]) == {KEY}


@pytest.mark.parametrize("settings", [{"strength": 0.0}, {"start": 0.4, "end": 0.4}, {"start": 1.0, "end": 1.0}])
def test_neutral_settings_are_bit_identical_to_no_node(trio, hrv, settings):
    positive, negative = prompt(trio), trio.encode("")
    model, steered = adjusted(trio.model, positive, hrv, **settings)
    assert torch.equal(trio.sample(model, steered, negative), trio.sample(trio.model, trio.encode(PROMPT), negative))


def test_an_untagged_prompt_on_a_steered_model_is_bit_identical_to_plain(trio, hrv):
    model, _ = adjusted(trio.model, prompt(trio), hrv)
    plain, negative = trio.encode(PROMPT), trio.encode("")
    assert torch.equal(trio.sample(model, plain, negative), trio.sample(trio.model, plain, negative))


def test_the_plain_model_stays_bit_identical_after_a_steered_and_after_an_interrupted_run(trio, hrv):
    positive, negative = prompt(trio), trio.encode("")
    before = trio.sample(trio.model, positive, negative)
    model, steered = adjusted(trio.model, positive, hrv)
    trio.sample(model, steered, negative)

    def stop(*_):
        raise comfy.model_management.InterruptProcessingException

    latent = nodes.EmptyLatentImage().generate(64, 64, 1)[0]["samples"]
    sampler = comfy.samplers.KSampler(model, 4, model.load_device, "euler", "normal", model_options=model.model_options)
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        sampler.sample(torch.randn_like(latent), steered, negative, 5.0, latent, callback=stop, disable_pbar=True)
    assert torch.equal(trio.sample(trio.model, positive, negative), before)


def test_a_window_acts_only_inside_itself(trio, hrv):
    positive, negative = prompt(trio), trio.encode("")
    whole = trio.sample(*adjusted(trio.model, positive, hrv), negative, steps=4)
    early = trio.sample(*adjusted(trio.model, positive, hrv, end=0.3), negative, steps=4)
    late = trio.sample(*adjusted(trio.model, positive, hrv, start=0.3), negative, steps=4)
    plain = trio.sample(trio.model, positive, negative, steps=4)
    images = [whole, early, late, plain]
    assert all(not torch.equal(a, b) for i, a in enumerate(images) for b in images[i + 1 :])


def test_a_batch_of_three_equals_three_single_images(trio, hrv):
    positive, negative = prompt(trio), trio.encode("")
    model, steered = adjusted(trio.model, positive, hrv)
    batch = trio.sample(model, steered, negative, batch=3)
    for index in range(3):
        latent = nodes.EmptyLatentImage().generate(64, 64, 1)[0]
        single = trio.sample(model, steered, negative, latent={**latent, "batch_index": [index]})
        assert relative(batch[index : index + 1], single) <= 1e-5


def test_the_images_of_a_batch_may_each_have_factors_of_their_own(trio, hrv):
    positive, negative = prompt(trio), trio.encode("")
    latent = {**nodes.EmptyLatentImage().generate(64, 64, 3)[0], "batch_index": [0, 0, 0]}
    rows = np.stack([hrv.row("Color"), np.ones(hrv.layout.total, np.float32), hrv.row("Plants")])
    together = trio.sample(
        *steer(trio.model, positive, word_columns("lavender"), rows, 1.0, 0.0, 1.0).args, negative, latent=latent
    )
    for index, factors in enumerate(rows):
        alone = steer(trio.model, positive, word_columns("lavender"), factors, 1.0, 0.0, 1.0).args
        assert relative(together[index : index + 1], trio.sample(*alone, negative)) <= 1e-5


def test_cond_and_uncond_apart_equal_together(trio, hrv, monkeypatch):
    model, steered = adjusted(trio.model, prompt(trio), hrv)
    together = trio.sample(model, steered, trio.encode(""))
    calls: list[int] = []

    def tight(self, shape, *args, **kwargs):
        calls.append(shape[0])
        return 0 if shape[0] == 1 else 1e30

    monkeypatch.setattr(type(model.model), "memory_required", tight)
    apart = trio.sample(model, steered, trio.encode(""))
    assert 1 in calls and relative(apart, together) <= 1e-5


def test_combined_positives_scale_only_the_prompt_that_has_the_word(trio, hrv):
    negative, other = trio.encode(""), prompt(trio, "a dog on the grass")
    positive = prompt(trio)
    model, steered = adjusted(trio.model, nodes.ConditioningCombine().combine(positive, other)[0], hrv)
    _, alone = adjusted(trio.model, positive, hrv)
    expected = trio.sample(
        model, nodes.ConditioningCombine().combine(alone, trio.encode("a dog on the grass"))[0], negative
    )
    assert torch.equal(trio.sample(model, steered, negative), expected)
    columns = positive[0][1][KEY].table.columns_of("lavender")
    both = with_explicit_maps(trio.model, hrv.layout, factors(hrv), columns)
    wrong = trio.sample(both, nodes.ConditioningCombine().combine(positive, other)[0], negative)
    assert relative(expected, wrong) > 1e-4


def test_an_area_prompt_is_steered_and_its_copy_in_the_negative_is_not(trio, hrv):
    negative, background = trio.encode("ugly"), trio.encode("a field")
    positive = nodes.ConditioningSetArea().append(prompt(trio), 32, 32, 0, 0, 1.0)[0]
    model, steered = adjusted(trio.model, positive, hrv)
    columns = steered[0][1][KEY].table.columns_of("lavender")
    explicit = with_explicit_maps(trio.model, hrv.layout, factors(hrv), columns)

    def only_area(q, k, v, options, inner=explicit.model_options["transformer_options"]["patches_replace"]["attn2"]):
        key = (*options["block"], options["block_index"])
        if options["original_shape"][-1] == 8:  # the full-size call: untagged
            return host_attention.optimized_attention(q, k, v, options["n_heads"], transformer_options=options)
        return inner[key](q, k, v, options)

    reference = trio.model.clone()
    for site in hrv.layout.sites:
        reference.set_model_attn2_replace(only_area, *site.key[:2], site.key[2])
    ours = trio.sample(model, background + steered, negative)
    assert relative(ours, trio.sample(reference, background + positive, negative)) <= 1e-5


def test_a_foreign_attention_replacement_before_or_after_ours_gives_the_same(trio, hrv):
    def image_prompt(q, k, v, options):
        return host_attention.optimized_attention(q, k, v, options["n_heads"]) + 0.1

    def adapted(model):
        model = model.clone()
        for site in hrv.layout.sites:
            model.set_model_attn2_replace(image_prompt, *site.key[:2])
        return model

    positive, negative = prompt(trio), trio.encode("")
    model, steered = adjusted(trio.model, positive, hrv)
    before_model, before = adjusted(adapted(trio.model), positive, hrv)
    after = trio.sample(adapted(model), steered, negative)
    assert torch.equal(after, trio.sample(before_model, before, negative))
    assert relative(after, trio.sample(model, steered, negative)) > 1e-4
    assert relative(after, trio.sample(adapted(trio.model), positive, negative)) > 1e-4


def test_an_attention_override_is_still_called_at_every_layer(trio, hrv):
    model, steered = adjusted(trio.model, prompt(trio), hrv)
    expected, calls = trio.sample(model, steered, trio.encode("")), []

    def override(function, *args, **kwargs):
        calls.append(args[1].shape[1])
        return function(*args, **kwargs)

    model = model.clone()
    model.model_options["transformer_options"]["optimized_attention_override"] = override
    assert torch.equal(trio.sample(model, steered, trio.encode("")), expected)
    assert calls.count(77) == 2 * len(hrv.layout.sites)  # 2 steps, cross-attention


def test_two_steering_nodes_stack_like_the_product_of_their_factors(trio, hrv):
    positive, negative = prompt(trio), trio.encode("")
    model, once = adjusted(trio.model, positive, hrv)
    model, twice = adjusted(model, once, hrv)
    columns = positive[0][1][KEY].table.columns_of("lavender")
    explicit = with_explicit_maps(trio.model, hrv.layout, factors(hrv) ** 2, columns)
    assert relative(trio.sample(model, twice, negative), trio.sample(explicit, positive, negative)) <= 1e-5
    assert len(once[0][1][KEY].scales) == 1  # the first node's conditioning was not changed


def test_only_the_nth_occurrence_is_scaled_when_asked(trio, hrv):
    positive, negative = prompt(trio, "a rose beside a rose"), trio.encode("")
    second = positive[0][1][KEY].table.columns_of("rose", 2)
    model, steered = adjusted(trio.model, positive, hrv, "rose", occurrence=2)
    explicit = with_explicit_maps(trio.model, hrv.layout, factors(hrv), second)
    assert relative(trio.sample(model, steered, negative), trio.sample(explicit, positive, negative)) <= 1e-5


def test_a_lora_patched_model_is_steered_with_its_patched_weights(trio, hrv):
    key = "diffusion_model.middle_block.1.transformer_blocks.0.attn2.to_v.weight"
    patched = trio.model.clone()
    weight = trio.model.model.state_dict()[key]
    assert patched.add_patches(
        {key: ("diff", (torch.randn(weight.shape, generator=torch.Generator().manual_seed(5)),))}, 1.0
    ) == [key]
    positive, negative = prompt(trio), trio.encode("")
    model, steered = adjusted(patched, positive, hrv)
    columns = positive[0][1][KEY].table.columns_of("lavender")
    explicit = with_explicit_maps(patched, hrv.layout, factors(hrv), columns)
    ours = trio.sample(model, steered, negative)
    assert relative(ours, trio.sample(explicit, positive, negative)) <= 1e-5
    assert relative(ours, trio.sample(*adjusted(trio.model, positive, hrv), negative)) > 1e-5


@pytest.mark.parametrize("sampler", ["dpmpp_2m", "heun", "uni_pc", "dpmpp_2m_sde", "ipndm"])
def test_every_kind_of_sampler_sees_the_steering(trio, hrv, sampler):
    positive, negative = prompt(trio), trio.encode("")
    columns = positive[0][1][KEY].table.columns_of("lavender")
    explicit = with_explicit_maps(trio.model, hrv.layout, factors(hrv), columns)
    ours = trio.sample(*adjusted(trio.model, positive, hrv), negative, steps=3, sampler=sampler)
    assert relative(ours, trio.sample(explicit, positive, negative, steps=3, sampler=sampler)) <= 1e-4


def test_strengthening_uses_the_concept_row_itself(trio, hrv):
    positive, negative = prompt(trio), trio.encode("")
    model, steered = HRVConceptStrengthen.execute(
        trio.model, positive, hrv, "lavender", "Color", 1.0, 0, 0.0, 0.0, 1.0
    ).args
    columns = positive[0][1][KEY].table.columns_of("lavender")
    explicit = with_explicit_maps(trio.model, hrv.layout, torch.from_numpy(hrv.row("Color")), columns)
    assert relative(trio.sample(model, steered, negative), trio.sample(explicit, positive, negative)) <= 1e-5


def test_the_node_says_how_many_heads_and_what_range_it_touched(trio, hrv):
    output = HRVConceptAdjust.execute(
        trio.model, prompt(trio), hrv, "lavender", "Color", "Plants", 2.0, 1.0, 1.0, 0, 0.0, 0.0, 1.0
    )
    assert f"of {hrv.layout.total} heads rescaled" in str(output.ui.as_dict())
