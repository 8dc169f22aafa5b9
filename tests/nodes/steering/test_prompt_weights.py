"""HRV Prompt Weights on a UNet: equal to maps written out, neutral to the bit, and one word's weight is its own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import nodes
from comfyui_hrv.hrv_engine.attention.heads import HeadLayout
from comfyui_hrv.hrv_engine.errors import HRVError
from comfyui_hrv.hrv_engine.relevance.relevance import HeadRelevance
from comfyui_hrv.hrv_engine.relevance.rescale import HeadScale
from comfyui_hrv.nodes.host.conditioning import KEY, reannotated, table_of
from comfyui_hrv.nodes.host.steering import steered
from comfyui_hrv.nodes.prompt import HRVPrompt
from comfyui_hrv.nodes.steering.prompt_weights import HRVPromptWeights
from comfyui_hrv.nodes.steering.strengthen import HRVConceptStrengthen

from ..explicit import relative, with_explicit_maps
from ..tiny import Trio

pytestmark = pytest.mark.usefixtures("inference_mode")
PLAIN = "a vase in lavender color"
LONG = "an ugly, blurry and badly drawn image of nothing at all, " * 12


def weighted(trio: Trio, text: str, strength=1.0, limit=0.0, start=0.0, end=1.0, hrv=None) -> tuple:
    """MODEL, CONDITIONING and report."""
    return HRVPromptWeights.execute(trio.model, trio.clip, text, strength, limit, start, end, hrv).args


def prompt(trio: Trio, text: str = PLAIN) -> list:
    return HRVPrompt.execute(trio.clip, text).args[0]


def by_hand(trio: Trio, plain: str, *scales: HeadScale) -> tuple:
    """MODEL and CONDITIONING with scales whose columns were written down."""
    return steered(trio.model), reannotated(prompt(trio, plain), lambda one: replace(one, scales=scales))


def every_head(hrv, value: float) -> np.ndarray:
    return np.full(hrv.layout.total, value, np.float32)


@pytest.mark.parametrize("weight", [1.5, 0, -1, 3])
@pytest.mark.parametrize("negative", ["", LONG])
def test_a_weight_equals_the_softmax_maps_columns_times_it(trio, hrv, weight, negative):
    positive, against = prompt(trio), trio.encode(negative)
    columns = table_of(positive).columns_of("lavender")
    model, conditioning, _ = weighted(trio, f"a vase in (lavender:{weight}) color")
    assert torch.equal(conditioning[0][0], positive[0][0])
    explicit = with_explicit_maps(trio.model, hrv.layout, torch.from_numpy(every_head(hrv, weight)), columns)
    ours = trio.sample(model, conditioning, against)
    assert relative(ours, trio.sample(explicit, positive, against)) <= 1e-5
    assert relative(ours, trio.sample(trio.model, positive, against)) > 1e-4


def test_it_acts_without_cfg(trio, hrv):
    positive, against = prompt(trio), trio.encode("")
    explicit = with_explicit_maps(
        trio.model, hrv.layout, torch.from_numpy(every_head(hrv, -1)), table_of(positive).columns_of("lavender")
    )
    model, conditioning, _ = weighted(trio, "a vase in (lavender:-1) color")
    ours = trio.sample(model, conditioning, against, cfg=1.0)
    assert relative(ours, trio.sample(explicit, positive, against, cfg=1.0)) <= 1e-5
    assert relative(ours, trio.sample(trio.model, positive, against, cfg=1.0)) > 1e-4


@pytest.mark.parametrize(
    "settings",
    [
        {"text": "a (vase:1) in (lavender:1) color"},
        {"text": "((a vase:1.0) in lavender color:1)"},
        {"text": PLAIN},
        {"text": "a vase in (lavender:2) color", "strength": 0.0},
        {"text": "a vase in (lavender:2) color", "start": 0.4, "end": 0.4},
        {"text": "a vase in (lavender:2@0.3-0.3) color"},
    ],
)
def test_neutral_weights_are_bit_identical_to_hrv_prompt_and_the_plain_model(trio, settings):
    model, conditioning, _ = weighted(trio, **settings)
    plain = trio.sample(trio.model, trio.encode(PLAIN), trio.encode(""))
    assert torch.equal(conditioning[0][0], prompt(trio)[0][0])
    assert torch.equal(trio.sample(model, conditioning, trio.encode("")), plain)


def test_each_of_two_equal_words_has_its_own_weight(trio, hrv):
    model, conditioning, _ = weighted(trio, "a (rose:2) beside a (rose:-1)")
    first, second = table_of(prompt(trio, "a rose beside a rose")).find("rose")
    scales = HeadScale(first, every_head(hrv, 2)), HeadScale(second, every_head(hrv, -1))
    expected = by_hand(trio, "a rose beside a rose", *scales)
    negative = trio.encode("")
    assert torch.equal(trio.sample(model, conditioning, negative), trio.sample(*expected, negative))


def test_a_word_beyond_77_tokens_is_weighted_where_it_is(trio, hrv):
    positive = prompt(trio, LONG + PLAIN)
    columns = table_of(positive).columns_of("lavender")
    assert columns[0] > 2 * 77
    model, conditioning, _ = weighted(trio, LONG + "a vase in (lavender:2) color")
    explicit = with_explicit_maps(
        trio.model, hrv.layout, torch.from_numpy(every_head(hrv, 2)), columns, positive[0][0].shape[1]
    )
    ours = trio.sample(model, conditioning, trio.encode(""))
    assert relative(ours, trio.sample(explicit, positive, trio.encode(""))) <= 1e-5


def test_all_vectors_of_an_embedding_are_weighted(trio, hrv, tmp_path, monkeypatch):
    save_file({"emb_params": torch.randn(3, 64)}, tmp_path / "thing.safetensors")
    monkeypatch.setattr(trio.clip.tokenizer.clip_l, "embedding_directory", str(tmp_path))
    monkeypatch.setattr(trio.clip.tokenizer.clip_l, "embedding_size", 64)
    _, conditioning, report = weighted(trio, "a (embedding:thing:2), red")
    (scale,) = conditioning[0][1][KEY].scales
    assert scale.columns == (2, 3, 4) and '"embedding:thing": 2 on 3 tokens' in report
    with pytest.raises(HRVError, match=r"\(embedding:nothing:2\)"):
        weighted(trio, "a (embedding:nothing:2), red")


def test_a_batch_of_three_equals_three_single_images(trio):
    model, conditioning, _ = weighted(trio, "a vase in (lavender:-1) color")
    batch = trio.sample(model, conditioning, trio.encode(""), batch=3)
    for index in range(3):
        latent = {**nodes.EmptyLatentImage().generate(64, 64, 1)[0], "batch_index": [index]}
        single = trio.sample(model, conditioning, trio.encode(""), latent=latent)
        assert relative(batch[index : index + 1], single) <= 1e-5


def test_cond_and_uncond_apart_equal_together(trio, monkeypatch):
    model, conditioning, _ = weighted(trio, "a vase in (lavender:2) color")
    together, calls = trio.sample(model, conditioning, trio.encode("")), []

    def tight(self, shape, *args, **kwargs):
        calls.append(shape[0])
        return 0 if shape[0] == 1 else 1e30

    monkeypatch.setattr(type(model.model), "memory_required", tight)
    apart = trio.sample(model, conditioning, trio.encode(""))
    assert 1 in calls and relative(apart, together) <= 1e-5


def test_a_weight_in_the_negative_prompt_acts_there_alone(trio, hrv):
    model, conditioning, _ = weighted(trio, "a vase in (lavender:2) color")
    swapped = with_explicit_maps(
        trio.model, hrv.layout, torch.from_numpy(every_head(hrv, 2)), table_of(prompt(trio)).columns_of("lavender")
    )
    ours = trio.sample(model, trio.encode(""), conditioning, cfg=0.0)  # at CFG 0 the negative alone is drawn
    assert relative(ours, trio.sample(swapped, prompt(trio), trio.encode(""), cfg=1.0)) <= 1e-4


def test_a_concept_gives_heads_their_part_of_the_weight(trio, hrv):
    _, conditioning, report = weighted(trio, "a vase in (lavender:2 Color) color", hrv=hrv)
    (scale,) = conditioning[0][1][KEY].scales
    np.testing.assert_allclose(scale.factors, 1 + np.minimum(hrv.row("Color"), 1), rtol=1e-6)
    assert f'"lavender": 2 on 1 token in all {hrv.layout.total} heads of Color' == report
    _, both, _ = weighted(trio, "a vase in (lavender:2 Color, Plants) color", hrv=hrv)
    larger = np.maximum(hrv.row("Color"), hrv.row("Plants"))
    np.testing.assert_allclose(both[0][1][KEY].scales[0].factors, 1 + np.minimum(larger, 1), rtol=1e-6)


def test_windows_are_the_nodes_or_the_words_own(trio):
    _, conditioning, report = weighted(trio, "a (vase:2) in (lavender:2@0.1-0.4) color", start=0.2, end=0.9)
    assert [(scale.start, scale.end) for scale in conditioning[0][1][KEY].scales] == [(0.2, 0.9), (0.1, 0.4)]
    assert "from 10% to 40% of the sampling" in report


@pytest.mark.parametrize(
    ("weight", "strength", "limit", "used"),
    [(9, 1, 2, 3), (-9, 1, 2, -1), (2, 1, 2, 2), (2, 2, 0.5, 1.5), (9, 1, 0, 9), (0, 0.5, 2, 0.5)],
)
def test_strength_comes_first_and_the_limit_has_the_last_word(trio, weight, strength, limit, used):
    _, conditioning, report = weighted(trio, f"a (vase:{weight})", strength, limit)
    (scale,) = conditioning[0][1][KEY].scales
    assert scale.factors == pytest.approx(used) and f'"vase": {used}' in report
    assert (f"written: {weight}" in report) == (used != weight)


def test_a_weight_beyond_the_limit_draws_what_the_limit_draws(trio):
    large = trio.sample(*weighted(trio, "a (vase:90)", limit=2.0)[:2], trio.encode(""))
    assert torch.equal(large, trio.sample(*weighted(trio, "a (vase:3)", limit=2.0)[:2], trio.encode("")))


def test_a_steering_node_after_it_multiplies_its_factors(trio, hrv):
    model, conditioning, _ = weighted(trio, "a (vase:2) in lavender color")
    both = HRVConceptStrengthen.execute(model, conditioning, hrv, "vase", "Color", 1.0, 0, 0.0, 0.0, 1.0).args
    columns = table_of(prompt(trio)).columns_of("vase")
    explicit = with_explicit_maps(trio.model, hrv.layout, torch.from_numpy(2 * hrv.row("Color")), columns)
    negative = trio.encode("")
    assert relative(trio.sample(*both, negative), trio.sample(explicit, prompt(trio), negative)) <= 1e-5


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("a (red:1.5 Color) vase", ["(red:1.5 Color)", "no HRV is connected"]),
        ("a (ratio 1:2 people) vase", ["(ratio 1:2 people)", "people:1.1"]),
        ("a (red:nan) vase", ["(red:nan)"]),
        ("a (red:2@0.5-0.1) vase", ["@0.5-0.1"]),
    ],
)
def test_bad_brackets_are_refused_and_quoted(trio, text, quoted):
    with pytest.raises(HRVError) as error:
        weighted(trio, text)
    assert all(part in str(error.value) for part in quoted)


def test_an_unknown_concept_is_refused_with_the_nearest(trio, hrv):
    with pytest.raises(HRVError, match=r'"\(red:1.5 Colour\)".*Nearest: "Color"'):
        weighted(trio, "a (red:1.5 Colour) vase", hrv=hrv)


def test_an_hrv_of_another_model_and_a_backward_window_are_refused(trio, hrv):
    other = HeadLayout(hrv.layout.sites[:-1])
    with pytest.raises(HRVError, match=f"{other.total} heads"):
        weighted(trio, "a vase", hrv=HeadRelevance(hrv.values[:, : other.total], hrv.concepts, other))
    with pytest.raises(HRVError, match="backwards"):
        weighted(trio, "a vase", start=0.8, end=0.2)


def test_the_node_shows_what_it_reports(trio):
    output = HRVPromptWeights.execute(trio.model, trio.clip, "a (red:2) vase, (dog:-1)", 1.0, 2.0, 0.0, 1.0)
    assert output.args[2].splitlines()[0].startswith('"red": 2 on 1 token in all')
    assert output.args[2].splitlines()[1].startswith('"dog": -1 on 1 token in all')
    assert "dog" in str(output.ui.as_dict())
    assert weighted(trio, "a vase")[2].startswith("No weights")
