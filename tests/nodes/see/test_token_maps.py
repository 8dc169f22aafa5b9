"""Token maps in real ComfyUI: they are the softmax maps of the run, and recording them changes no bit of it."""

from __future__ import annotations

import csv
import io

import comfy.ldm.modules.attention as host_attention
import pytest
import torch

import nodes
from comfyui_hrv.hrv_engine.attention.values import attention_map
from comfyui_hrv.hrv_engine.errors import HRVError
from comfyui_hrv.nodes.host.unet import layout_of
from comfyui_hrv.nodes.prompt import HRVPrompt
from comfyui_hrv.nodes.see.token_map_view import HRVTokenMapView
from comfyui_hrv.nodes.see.token_maps import HRVTokenMaps
from comfyui_hrv.nodes.steering.strengthen import HRVConceptStrengthen

from ..explicit import relative
from ..tiny import tiny_sdxl

pytestmark = pytest.mark.usefixtures("inference_mode")
TEXT = "a rose-colored vase and a vase"  # rose - colored: three tokens, columns 2 to 4; vase: 5 and 8
LONG = "an ugly, blurry and badly drawn image of nothing at all, " * 12


def record(
    trio, text=TEXT, words="", special=False, batch=1, start=0.0, end=1.0, sampler="euler", model=None, negative="",
    positive=None, size=64,
):  # fmt: skip
    positive = positive or HRVPrompt.execute(trio.clip, text).args[0]
    latent = nodes.EmptyLatentImage().generate(size, size, batch)[0]
    settings = (words, special, 1, 2, 5.0, sampler, "normal", 1.0, start, end)
    latent, maps = HRVTokenMaps.execute(model or trio.model, positive, trio.encode(negative), latent, *settings).args
    return latent["samples"], maps


def explicit(trio, text, columns: tuple[int, ...], tokens=77, negative="", model=None) -> list[torch.Tensor]:
    """Mean over UNet calls of the softmax map summed over `columns`, [heads pixels] of each layer."""
    layout, sums, calls = layout_of(trio.model), {}, {}

    def watch(q, k, v, options):
        block, heads = (*options["block"], options["block_index"]), options["n_heads"]
        row = options["cond_or_uncond"].index(0)
        maps = attention_map(q, k, heads)[row]
        every = [c + copy * tokens for copy in range(k.shape[1] // tokens) for c in columns]
        sums[block] = sums.get(block, 0) + maps[..., every].sum(-1)
        calls[block] = calls.get(block, 0) + 1
        return host_attention.optimized_attention(q, k, v, heads, transformer_options=options)

    watched = (model or trio.model).clone()
    for site in layout.sites:
        watched.set_model_attn2_replace(watch, *site.key[:2], site.key[2])
    trio.sample(watched, trio.encode(text), trio.encode(negative), seed=1)
    return [sums[site.key] / calls[site.key] for site in layout.sites]


@pytest.mark.parametrize(
    "text, word, columns, tokens, negative",
    [
        (TEXT, "rose-colored", (2, 3, 4), 77, ""),
        (TEXT, "vase", (5, 8), 77, ""),
        ("a (vase:1.4) here", "vase", (2,), 77, ""),
        (TEXT, "vase", (5, 8), 77, LONG),  # the prompt is repeated to the negative's length
    ],
)
def test_the_recorded_maps_are_the_softmax_maps_of_the_run(trio, text, word, columns, tokens, negative):
    _, maps = record(trio, text, word, negative=negative)
    for layer, expected in zip(maps.layers, explicit(trio, text, columns, tokens, negative), strict=True):
        assert layer.shape[:3] == (1, 1, len(expected))
        assert relative(layer[0, 0].flatten(1), expected) <= 1e-4


def test_a_word_in_a_later_chunk_of_a_long_prompt_is_found(trio):
    _, maps = record(trio, LONG + "vase", "vase")
    column = HRVPrompt.execute(trio.clip, LONG + "vase").args[0][0][1]["hrv"].table.columns_of("vase")
    assert column[0] > 77
    tokens = trio.encode(LONG + "vase")[0][0].shape[1]
    for layer, expected in zip(maps.layers, explicit(trio, LONG + "vase", column, tokens), strict=True):
        assert relative(layer[0, 0].flatten(1), expected) <= 1e-4


@pytest.mark.parametrize("sampler", ["euler", "heun", "euler_ancestral", "uni_pc"])
def test_the_image_is_bit_for_bit_that_of_a_ksampler(trio, sampler):
    drawn, _ = record(trio, batch=2, sampler=sampler)
    plain = trio.sample(trio.model, trio.encode(TEXT), trio.encode(""), batch=2, sampler=sampler)
    assert torch.equal(drawn, plain)


def test_all_tokens_together_get_the_whole_attention_of_every_pixel(trio):
    _, maps = record(trio, "a dog on a table", special=True)
    assert maps.words == ("a", "dog", "on", "table", "<start>", "<end>")
    for layer in maps.layers:
        assert torch.allclose(layer.sum(1), torch.ones_like(layer[:, 0]), atol=1e-4)


def test_every_image_of_a_batch_has_maps_of_its_own_equal_to_a_run_with_its_noise(trio):
    _, together = record(trio, batch=3, words="vase")
    positive, negative = HRVPrompt.execute(trio.clip, TEXT).args[0], trio.encode("")
    for index in range(3):
        latent = {**nodes.EmptyLatentImage().generate(64, 64, 1)[0], "batch_index": [index]}
        settings = ("vase", False, 1, 2, 5.0, "euler", "normal", 1.0, 0.0, 1.0)
        _, alone = HRVTokenMaps.execute(trio.model, positive, negative, latent, *settings).args
        for one, all_three in zip(alone.layers, together.layers, strict=True):
            assert relative(all_three[index : index + 1], one) <= 1e-4
    assert relative(together.layers[0][0], together.layers[0][1]) > 1e-3


def test_cond_and_uncond_apart_equal_together(trio, monkeypatch):
    _, together = record(trio, words="vase")
    monkeypatch.setattr(type(trio.model.model), "memory_required", lambda *_, **__: 1 << 62)
    _, apart = record(trio, words="vase")
    assert all(relative(a, b) <= 1e-4 for a, b in zip(apart.layers, together.layers, strict=True))


def test_steering_is_seen_in_the_queries_but_the_maps_are_those_before_rescaling(trio, hrv):
    positive = HRVPrompt.execute(trio.clip, TEXT).args[0]
    asked = ("vase", "Color", 3.0, 0, 0.0, 0.0, 1.0)
    model, steered = HRVConceptStrengthen.execute(trio.model, positive, hrv, *asked).args
    drawn, maps = record(trio, words="vase", model=model, positive=steered)
    assert torch.equal(drawn, trio.sample(model, steered, trio.encode("")))
    assert all(layer.min() >= 0 and layer.max() <= 1 for layer in maps.layers)
    _, plain = record(trio, words="vase")
    assert relative(maps.layers[-1], plain.layers[-1]) > 1e-4


def test_a_window_records_only_its_own_steps(trio):
    _, early = record(trio, words="vase", end=0.3)
    _, late = record(trio, words="vase", start=0.3)
    _, whole = record(trio, words="vase")
    for a, b, both in zip(early.layers, late.layers, whole.layers, strict=True):
        assert relative((a + b) / 2, both) <= 1e-5  # two steps, one in each window


def test_combined_prompts_give_each_word_the_map_of_its_own_prompt(trio):
    first, second = (HRVPrompt.execute(trio.clip, text).args[0] for text in ("a vase", "a lonely dog"))
    both = nodes.ConditioningCombine().combine(first, second)[0]
    _, maps = record(trio, words="vase, dog", positive=both)
    assert maps.words == ("vase", "dog")
    assert all((layer > 0).all() for layer in maps.layers)


def test_sdxl_has_maps_too():
    xl = tiny_sdxl()
    _, maps = record(xl, words="vase")
    assert len(maps.layers) == len(layout_of(xl.model).sites)


@pytest.mark.parametrize(
    "change, quoted",
    [
        ({"words": "vases"}, '"vases" is not in the prompt.*Nearest'),
        ({"start": 0.5, "end": 0.5000001}, "Widen start_percent"),
        ({"start": 0.7, "end": 0.2}, "runs backwards"),
    ],
)
def test_unknown_words_and_empty_windows_are_refused_with_the_fix(trio, change, quoted):
    with pytest.raises(HRVError, match=quoted):
        record(trio, **change)


def test_a_prompt_that_acts_on_an_area_only_is_refused_with_the_fix(trio):
    area = nodes.ConditioningSetArea().append(HRVPrompt.execute(trio.clip, TEXT).args[0], 32, 32, 0, 0, 1.0)[0]
    with pytest.raises(HRVError, match="without its area"):
        record(trio, words="vase", positive=area)


def view(maps, word="vase", what="all heads", concept="Color", heads="", image=None, hrv=None):
    return HRVTokenMapView.execute(maps, word, what, concept, heads, 0.65, image=image, hrv=hrv).args


def test_the_view_gives_one_mask_and_one_line_for_each_map_in_image_size(trio, hrv):
    _, maps = record(trio, batch=2, words="vase, rose-colored")
    images = torch.rand(2, 96, 80, 3)
    for what, together in (
        ("all heads", 1),
        ("weighted by concept", 1),
        ("each layer", len(maps.layers)),
        ("single heads", 8),
    ):
        sheet, masks, table = view(maps, "", what, image=images, hrv=hrv)
        rows = list(csv.DictReader(io.StringIO(table)))
        assert masks.shape == (2 * 2 * together, 96, 80) and len(rows) == len(masks)
        assert masks.min() >= 0 and masks.max() <= 1
        assert sheet.shape[0] == 1 and sheet.shape[1] > 96
        peak = masks[0].flatten().argmax().item()
        row = rows[0]
        assert abs((peak % 80 + 0.5) / 80 - float(row["peak_x"])) < 0.5 and row["word"] == "vase"


def test_the_concept_view_weights_each_head_by_its_relevance(trio, hrv):
    _, maps = record(trio, words="vase")
    weights = hrv.row("Color") / hrv.layout.total
    size = maps.layers[0].shape[-2:]
    expected = sum(
        torch.nn.functional.interpolate(
            (layer * torch.from_numpy(weights[hrv.layout.head_range(site.key)])[:, None, None]).sum(2),
            size=size, mode="bilinear",
        )
        for site, layer in zip(hrv.layout.sites, maps.layers, strict=True)
    )  # fmt: skip
    row = next(csv.DictReader(io.StringIO(view(maps, what="weighted by concept", hrv=hrv)[2])))
    assert float(row["peak_share"]) == pytest.approx(float(expected.max()), rel=1e-4)
    assert float(row["mean_share"]) == pytest.approx(float(expected.mean()), rel=1e-4)


def test_chosen_heads_are_shown_as_they_are(trio, hrv):
    _, maps = record(trio, words="vase")
    table = view(maps, what="single heads", heads="3, L2/h1")[2]
    shown = [row["heads"] for row in csv.DictReader(io.StringIO(table))]
    second = hrv.layout.offset(hrv.layout.sites[1].key) + 1
    assert shown == [hrv.layout.label(3), hrv.layout.label(second)]


@pytest.mark.parametrize(
    "change, quoted",
    [
        ({"word": "dog"}, '"dog".*Recorded: vase'),
        ({"what": "weighted by concept"}, "no HRV is connected"),
        ({"what": "single heads"}, "no HRV is connected"),
        ({"what": "single heads", "heads": "L99/h0"}, '"L99/h0"'),
        ({"image": torch.rand(3, 64, 64, 3)}, "3 images but maps of 1"),
    ],
)
def test_views_of_what_was_not_recorded_are_refused_with_the_fix(trio, change, quoted):
    _, maps = record(trio, words="vase")
    with pytest.raises(HRVError, match=quoted):
        view(maps, **change)
