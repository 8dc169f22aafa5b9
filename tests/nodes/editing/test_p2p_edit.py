"""HRV P2P Edit in real ComfyUI: equal to explicit maps, invariant where the method says so, whatever the batching."""

from __future__ import annotations

import comfy.ldm.modules.attention as host_attention
import comfy.sample
import comfy.samplers
import pytest
import torch
from comfy_extras.nodes_custom_sampler import DualCFGGuider

import nodes
from comfyui_hrv.hrv_engine.attention.downsampling import small_maps
from comfyui_hrv.hrv_engine.editing.mapping import map_tokens
from comfyui_hrv.nodes.editing.p2p_edit import HRVP2PEdit
from comfyui_hrv.nodes.host.conditioning import KEY, table_of
from comfyui_hrv.nodes.host.families.unet_layers import downsampling
from comfyui_hrv.nodes.host.unet import layout_of
from comfyui_hrv.nodes.prompt import HRVPrompt
from comfyui_hrv.nodes.steering.adjust import HRVConceptAdjust

from ..explicit import relative
from ..explicit_pairs import ExplicitPairs, remapped
from ..tiny import Trio

pytestmark = pytest.mark.usefixtures("inference_mode")
SOURCE, TARGET = "a blue car on a road", "a red car on a road"
LONG = "an ugly, blurry and badly drawn image of nothing at all, " * 12
STEPS = 4


def prompt(trio: Trio, text: str) -> list:
    return HRVPrompt.execute(trio.clip, text).args[0]


def edited(trio: Trio, source: str = SOURCE, target: str = TARGET, model=None, latent=None, **changes):
    """MODEL, CONDITIONING, LATENT of the node."""
    settings = {
        "concept": "", "undesired": "", "edited_word": "", "cross_replace": 0.8, "self_replace": 0.5, "mode": "auto",
        "equalizer": "", "word_windows": "", "tail": "aligned", "self_limit": "auto", "clamp": 0.0, "seeds": 1,
        "blend_words": "", "blend_threshold": 0.3, "blend_start": 0.2,
    } | changes  # fmt: skip
    latent = latent or nodes.EmptyLatentImage().generate(64, 64, 1)[0]
    return HRVP2PEdit.execute(model or trio.model, prompt(trio, source), prompt(trio, target), latent, **settings).args


def draw(trio: Trio, made, negative: str = "", **settings) -> torch.Tensor:
    model, positive, latent = made
    return trio.sample(model, positive, trio.encode(negative), latent=latent, **{"steps": STEPS, **settings})


def plain(trio: Trio, made, negative: str = "", **settings) -> torch.Tensor:
    """The same rows without the node's model."""
    context, values = made[1][0]
    return draw(trio, (trio.model, [[context, {**values, KEY: None}]], made[2]), negative, **settings)


def alone(trio: Trio, text: str, negative: str = "", **settings) -> torch.Tensor:
    return trio.sample(trio.model, trio.encode(text), trio.encode(negative), **{"steps": STEPS, **settings})


def mapping(trio: Trio, source: str, target: str, mode="auto", tail="aligned"):
    a, b = prompt(trio, source), prompt(trio, target)
    return map_tokens(table_of(a), table_of(b), (a[0][0].shape[1], b[0][0].shape[1]), mode, tail)


@pytest.mark.parametrize("negative", ["", LONG])
@pytest.mark.parametrize(
    "source, target, mode",
    [
        (SOURCE, TARGET, "replace"),
        ("a blue car", "a rose-colored car", "replace"),
        ("a car on a road", "a red car on a long road", "refine"),
    ],
)
def test_two_attentions_equal_the_edited_maps_through_the_whole_unet(trio, source, target, mode, negative):
    made = edited(trio, source, target, mode=mode)
    found = mapping(trio, source, target, mode)
    matrix, own = torch.from_numpy(found.matrix), torch.from_numpy(~found.aligned).float()

    def cross(source_map, target_map, head, step):
        copies = target_map.shape[-1] // 77
        if step >= int(0.8 * STEPS):
            return target_map
        return remapped(matrix.repeat(copies, copies) / copies, source_map) + target_map * own.repeat(copies)

    limit = small_maps(downsampling(trio.model.model.diffusion_model), "auto")
    explicit = ExplicitPairs(layout_of(trio.model), cross, limit, int(0.5 * STEPS)).on(trio.model)
    ours = draw(trio, made, negative)
    assert relative(ours, draw(trio, (explicit, made[1], made[2]), negative)) <= 1e-5
    assert relative(ours[1], plain(trio, made, negative)[1]) > 1e-3


def test_with_an_hrv_the_edited_word_keeps_its_own_map_times_r(trio, hrv):
    made = edited(trio, hrv=hrv, concept="Color", self_replace=-1.0)
    r = torch.from_numpy(hrv.row("Color"))

    def cross(source_map, target_map, head, step):
        if step >= int(0.8 * STEPS):
            return target_map
        result = source_map.clone()  # word by word, the same lengths
        result[:, :, 2] = target_map[:, :, 2] * r[head][:, None]
        return result

    limit = small_maps(downsampling(trio.model.model.diffusion_model), "auto")
    explicit = ExplicitPairs(hrv.layout, cross, limit, int(0.9 * STEPS)).on(trio.model)
    ours = draw(trio, made)
    assert relative(ours, draw(trio, (explicit, made[1], made[2]))) <= 1e-5
    assert relative(ours[1], draw(trio, edited(trio, self_replace=0.9))[1]) > 1e-3
    adjusted = draw(trio, edited(trio, hrv=hrv, concept="Color", undesired="Plants", self_replace=-1.0))
    assert relative(ours[1], adjusted[1]) > 1e-3


def test_no_window_is_bit_identical_to_a_plain_batch(trio):
    made = edited(trio, cross_replace=0.0, self_replace=0.0)
    assert torch.equal(draw(trio, made), plain(trio, made))


def test_the_model_alone_changes_nothing_for_other_prompts(trio):
    model = edited(trio)[0]
    ours = trio.sample(model, prompt(trio, TARGET), trio.encode(""), steps=STEPS)
    assert torch.equal(ours, alone(trio, TARGET))


@pytest.mark.parametrize("mode", ["replace", "refine"])
def test_the_same_prompt_twice_gives_the_same_image_twice(trio, mode):
    source, target = draw(trio, edited(trio, SOURCE, SOURCE, mode=mode, cross_replace=1.0, self_replace=1.0))
    assert relative(target, source) <= 1e-5


@pytest.mark.parametrize("target", [TARGET, "a red car", LONG + TARGET])
def test_the_source_row_is_the_image_drawn_alone(trio, target):
    ours = draw(trio, edited(trio, target=target))
    assert relative(ours[:1], alone(trio, SOURCE)) <= 1e-5
    assert relative(ours[1:], ours[:1]) > 1e-3


def test_after_every_window_the_target_is_its_own(trio):
    """A window that ends before the first step leaves the target as it is drawn alone, one that lasts does not."""
    assert relative(draw(trio, edited(trio, cross_replace=0.0, self_replace=0.0))[1:], alone(trio, TARGET)) <= 1e-5
    early, late = (draw(trio, edited(trio, cross_replace=end, self_replace=0.0))[1] for end in (0.3, 0.8))
    assert relative(early, late) > 1e-4


def test_a_long_target_reads_the_words_of_a_short_source(trio):
    """Contexts of 77 and 231 columns: the map of the word beside the source's is the source's."""
    made = edited(trio, "a blue car", LONG + "a blue car", mode="refine", cross_replace=1.0)
    found = mapping(trio, "a blue car", LONG + "a blue car", "refine")
    matrix, own = torch.from_numpy(found.matrix), torch.from_numpy(~found.aligned).float()

    def cross(source_map, target_map, head, step):
        return remapped(matrix.repeat(3, 1), source_map) + target_map * own

    limit = small_maps(downsampling(trio.model.model.diffusion_model), "auto")
    explicit = ExplicitPairs(layout_of(trio.model), cross, limit, int(0.5 * STEPS)).on(trio.model)
    assert relative(draw(trio, made), draw(trio, (explicit, made[1], made[2]))) <= 1e-5


def test_cond_and_uncond_apart_equal_together(trio, monkeypatch):
    made = edited(trio)
    together = draw(trio, made)
    calls: list[int] = []

    def tight(self, shape, *args, **kwargs):
        calls.append(shape[0])
        return 0 if shape[0] <= 2 else 1e30

    monkeypatch.setattr(type(trio.model.model), "memory_required", tight)
    assert relative(draw(trio, made), together) <= 1e-5
    assert 2 in calls and 4 in calls


def test_two_targets_are_the_two_edits_drawn_apart(trio):
    both = draw(trio, edited(trio, target_2=prompt(trio, "a green car on a road")))
    first, second = draw(trio, edited(trio)), draw(trio, edited(trio, target="a green car on a road"))
    assert len(both) == 3
    assert relative(both, torch.cat([first, second[1:]])) <= 1e-5


def test_several_seeds_are_several_pairs(trio):
    both = draw(trio, edited(trio, seeds=2))
    assert len(both) == 4
    latent = nodes.EmptyLatentImage().generate(64, 64, 1)[0]
    for seed in range(2):
        single = draw(trio, edited(trio, latent={**latent, "batch_index": [seed]}))
        assert relative(both[2 * seed : 2 * seed + 2], single) <= 1e-5
    assert relative(both[0], both[2]) > 1e-2


def test_a_lora_is_in_the_edit(trio):
    key = "diffusion_model.middle_block.1.transformer_blocks.0.attn2.to_v.weight"
    patched = trio.model.clone()
    weight = torch.randn(trio.model.model.state_dict()[key].shape, generator=torch.Generator().manual_seed(5))
    patched.add_patches({key: ("diff", (weight,))}, 1.0)
    ours = draw(trio, edited(trio, model=patched))
    assert relative(ours[:1], trio.sample(patched, trio.encode(SOURCE), trio.encode(""), steps=STEPS)) <= 1e-5
    assert relative(ours, draw(trio, edited(trio))) > 1e-5


def test_a_foreign_attention_replacement_acts_once_on_every_row_before_or_after_ours(trio):
    def image_prompt(q, k, v, options):
        return host_attention.optimized_attention(q, k, v, options["n_heads"]) + 0.1

    def adapted(model):
        model = model.clone()
        for site in layout_of(trio.model).sites:
            model.set_model_attn2_replace(image_prompt, *site.key[:2])
        return model

    made = edited(trio)
    after = draw(trio, (adapted(made[0]), *made[1:]))
    before = draw(trio, edited(trio, model=adapted(trio.model)))
    assert torch.equal(after, before)
    same = draw(trio, edited(trio, SOURCE, SOURCE, model=adapted(trio.model), cross_replace=1.0, self_replace=1.0))
    assert relative(same[1], same[0]) <= 1e-5
    assert (
        relative(after[:1], trio.sample(adapted(trio.model), trio.encode(SOURCE), trio.encode(""), steps=STEPS)) <= 1e-5
    )


def test_concept_adjust_before_or_after_scales_the_word_in_the_edited_maps(trio, hrv):
    made = edited(trio)
    senses = ("car", "Color", "Plants", 2.0, 1.0, 1.0, 0, 0.0, 0.0, 1.0)
    model, after = HRVConceptAdjust.execute(made[0], made[1], hrv, *senses).args
    ours = draw(trio, (model, after, made[2]))
    r = torch.from_numpy(2 * hrv.row("Color") - hrv.row("Plants"))

    class Both(ExplicitPairs):
        def _cross(self, q, k, v, options):
            head = self.layout.head_range((*options["block"], options["block_index"]))
            chunks = options["cond_or_uncond"]
            size = q.shape[0] // len(chunks)
            rows = [place * size + i for place, kind in enumerate(chunks) if kind == 0 for i in range(size)]
            v = v.clone()
            v[rows, 3] = (split_last(v[rows, 3], options["n_heads"]) * r[head][:, None]).flatten(1)
            return super()._cross(q, k, v, options)

    def cross(source_map, target_map, head, step):
        return source_map if step < int(0.8 * STEPS) else target_map

    limit = small_maps(downsampling(trio.model.model.diffusion_model), "auto")
    explicit = Both(hrv.layout, cross, limit, int(0.5 * STEPS)).on(trio.model)
    assert relative(ours, draw(trio, (explicit, made[1], made[2]))) <= 1e-5
    assert relative(ours, draw(trio, made)) > 1e-4
    source, target = prompt(trio, SOURCE), prompt(trio, TARGET)
    (_, one), (_, other) = (HRVConceptAdjust.execute(trio.model, p, hrv, *senses).args for p in (source, target))
    rest = ("", "", "", 0.8, 0.5, "auto", "", "", "aligned", "auto", 0.0, "", 0.3, 0.2, 1)
    latent = nodes.EmptyLatentImage().generate(64, 64, 1)[0]
    before = HRVP2PEdit.execute(trio.model, one, other, latent, *rest).args
    assert torch.equal(draw(trio, before), ours)


def split_last(tensor: torch.Tensor, heads: int) -> torch.Tensor:
    return tensor.unflatten(-1, (heads, -1))


def test_an_equalizer_scales_the_edited_column_and_one_changes_nothing(trio):
    neutral = draw(trio, edited(trio, equalizer="car: 1"))
    assert torch.equal(neutral, draw(trio, edited(trio)))
    made = edited(trio, equalizer="car: -2", cross_replace=1.0, self_replace=0.0)

    def cross(source_map, target_map, head, step):
        result = source_map.clone()
        result[:, :, 3] *= -2
        return result

    explicit = ExplicitPairs(layout_of(trio.model), cross).on(trio.model)
    assert relative(draw(trio, made), draw(trio, (explicit, made[1], made[2]))) <= 1e-5


def test_a_word_may_have_a_window_of_its_own(trio):
    made = edited(trio, word_windows="red: 0.25-0.5", self_replace=0.0)

    def cross(source_map, target_map, head, step):
        result = (source_map if step < int(0.8 * STEPS) else target_map).clone()
        result[:, :, 2] = (source_map if step == 1 else target_map)[:, :, 2]
        return result

    explicit = ExplicitPairs(layout_of(trio.model), cross).on(trio.model)
    assert relative(draw(trio, made), draw(trio, (explicit, made[1], made[2]))) <= 1e-5


PAIRING = [name for name in comfy.samplers.KSampler.SAMPLERS if name != "dpm_adaptive"]


@pytest.mark.parametrize("sampler", PAIRING)
def test_with_every_sampler_the_source_is_the_image_drawn_alone(trio, sampler):
    """Also those that draw noise of their own: both rows get the same."""
    made = edited(trio, SOURCE, SOURCE, cross_replace=1.0, self_replace=1.0)
    ours = draw(trio, made, sampler=sampler, steps=3)
    assert relative(ours[0], alone(trio, SOURCE, sampler=sampler, steps=3)[0]) <= 1e-4
    assert relative(ours[1], ours[0]) <= 1e-4


def test_a_pair_in_any_list_of_a_guider_shares_its_noise(trio):
    model, pair, latent = edited(trio, SOURCE, SOURCE, cross_replace=1.0, self_replace=1.0)
    guider = DualCFGGuider.execute(model, prompt(trio, "a field"), pair, trio.encode(""), 3.0, 3.0, "regular").args[0]
    sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "normal", STEPS)
    noise = comfy.sample.prepare_noise(latent["samples"], 1, latent["batch_index"])
    sampler = comfy.samplers.sampler_object("euler_ancestral")
    source, target = guider.sample(noise, latent["samples"], sampler, sigmas, seed=1)
    assert relative(source, target) <= 1e-5


def test_a_run_after_an_interrupted_one_is_bit_identical(trio):
    made = edited(trio)
    before = draw(trio, made)

    def stop(*_):
        raise comfy.model_management.InterruptProcessingException

    model, positive, latent = made
    sampler = comfy.samplers.KSampler(model, 4, model.load_device, "euler", "normal", model_options=model.model_options)
    noise = torch.zeros_like(latent["samples"])
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        sampler.sample(noise, positive, trio.encode(""), 5.0, latent["samples"], callback=stop, disable_pbar=True)
    assert torch.equal(draw(trio, made), before)
    assert torch.equal(plain(trio, made), plain(trio, made))
