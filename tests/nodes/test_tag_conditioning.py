"""HRV Tag Conditioning: the same conditioning with its words, or a refusal; and prompts that core concatenates."""

from __future__ import annotations

import pytest
import torch
from comfy_extras.nodes_clip_sdxl import CLIPTextEncodeSDXL

import nodes
from comfyui_hrv.hrv_engine.errors import HRVError
from comfyui_hrv.nodes.editing.p2p_edit import HRVP2PEdit
from comfyui_hrv.nodes.host.conditioning import KEY, table_of
from comfyui_hrv.nodes.prompt import HRVPrompt
from comfyui_hrv.nodes.see.token_maps import HRVTokenMaps
from comfyui_hrv.nodes.steering.strengthen import HRVConceptStrengthen
from comfyui_hrv.nodes.tag_conditioning import HRVTagConditioning

from .explicit import relative
from .tiny import Trio, tiny_sdxl

pytestmark = pytest.mark.usefixtures("inference_mode")
TEXT = "a rose-colored vase, (big:1.3), in lavender"
LONG = "one two three four, " * 20 + "a lavender vase"
FIRST, SECOND = "a red cat", "a blue dog, standing"


def prompt(trio: Trio, text: str) -> list:
    return HRVPrompt.execute(trio.clip, text).args[0]


def tagged(trio: Trio, conditioning: list, text: str, check: str = "re-encode") -> list:
    return HRVTagConditioning.execute(conditioning, trio.clip, text, check).args[0]


def joined(first: list, second: list) -> list:
    return nodes.ConditioningConcat().concat(first, second)[0]


@pytest.mark.parametrize("text", [TEXT, LONG, ""])
@pytest.mark.parametrize("check", ["re-encode", "length"])
def test_a_foreign_conditioning_becomes_that_of_hrv_prompt(trio, text, check):
    plain = trio.encode(text)
    ((context, values),), ((expected, others),) = tagged(trio, plain, text, check), prompt(trio, text)
    assert context is plain[0][0] and torch.equal(context, expected)
    assert values[KEY] == others[KEY]
    assert {key: value for key, value in values.items() if key != KEY} == plain[0][1]


def test_sdxl_is_tagged_too():
    xl = tiny_sdxl()
    assert table_of(tagged(xl, xl.encode(TEXT), TEXT)) == table_of(prompt(xl, TEXT))


def test_a_steered_foreign_prompt_draws_what_a_steered_hrv_prompt_draws(trio, hrv):
    asked = ("lavender", "Color", 3.0, 0, 0.0, 0.0, 1.0)
    drawn = [
        trio.sample(*HRVConceptStrengthen.execute(trio.model, positive, hrv, *asked).args, trio.encode(""))
        for positive in (tagged(trio, trio.encode(TEXT), TEXT), prompt(trio, TEXT))
    ]
    assert torch.equal(*drawn)
    assert relative(drawn[0], trio.sample(trio.model, trio.encode(TEXT), trio.encode(""))) > 1e-4


def test_steering_that_is_there_stays(trio, hrv):
    asked = ("lavender", "Color", 3.0, 0, 0.0, 0.0, 1.0)
    _, positive = HRVConceptStrengthen.execute(trio.model, prompt(trio, TEXT), hrv, *asked).args
    assert tagged(trio, positive, TEXT)[0][1][KEY].scales == positive[0][1][KEY].scales


@pytest.mark.parametrize(
    "encoded, text, check, said",
    [
        ("a red cat", "a red dog", "re-encode", '"a red dog": a token differs by .*set check to length'),
        ("a red cat", "a (red:1.1) cat", "re-encode", "a token differs by"),
        ("a red cat", LONG, "length", "has 77 columns.*takes 154"),
        (LONG, "a red cat", "re-encode", "has 154 columns, but .* has 3 tokens and takes 77"),
        ("a red cat", "a red cat", "nothing", '"nothing" is unknown. Legal: re-encode, length'),
        ("a red cat", "a \ud83c cat", "length", "half a character"),
    ],
)
def test_what_is_not_the_encoding_of_the_text_is_refused_with_the_fix(trio, encoded, text, check, said):
    with pytest.raises(HRVError, match=said):
        tagged(trio, trio.encode(encoded), text, check)


def test_another_encoder_is_refused(trio):
    with pytest.raises(HRVError, match="128 channels, but this CLIP encodes to 64"):
        tagged(trio, tiny_sdxl().encode(TEXT), TEXT)


def test_rounding_is_no_difference_and_another_weighting_passes_by_its_length(trio):
    ((context, values),) = trio.encode(TEXT)
    rounded = [[context.half().float(), values]]
    assert table_of(tagged(trio, rounded, TEXT)) == table_of(prompt(trio, TEXT))
    weighted = [[context * 1.2, values]]
    with pytest.raises(HRVError, match="set check to length"):
        tagged(trio, weighted, TEXT)
    assert table_of(tagged(trio, weighted, TEXT, "length")) == table_of(prompt(trio, TEXT))


def test_stacked_prompts_of_an_edit_are_refused(trio):
    latent = nodes.EmptyLatentImage().generate(64, 64, 1)[0]
    with pytest.raises(HRVError, match="Tag source and target before"):
        tagged(trio, edit(trio, prompt(trio, FIRST), prompt(trio, "a blue cat"), latent)[1], FIRST)


def edit(trio: Trio, source: list, target: list, latent: dict, tail: str = "aligned"):
    rest = ("", "", "", 0.8, 0.5, "auto", "", "", tail, "auto", 0.0, "", 0.3, 0.2, 1)
    return HRVP2PEdit.execute(trio.model, source, target, latent, *rest).args


def test_words_of_a_concatenated_prompt_are_found_once_it_is_tagged(trio):
    both = joined(prompt(trio, FIRST), prompt(trio, SECOND))
    with pytest.raises(HRVError, match='"dog" is not in the prompt.*77 further columns.*HRV Tag Conditioning'):
        table_of(both).columns_of("dog")
    table = table_of(tagged(trio, both, SECOND))
    assert table.columns_of("dog") == (77 + 3,) and table.columns_of("cat") == (3,)
    assert table.columns_of("a") == (1, 78) and table.length == 154 and not table.unknown
    both = joined(tagged(trio, both, SECOND), prompt(trio, LONG))
    assert table_of(tagged(trio, both, LONG)).columns_of("lavender")[0] > 3 * 77
    with pytest.raises(HRVError, match="a token differs"):
        tagged(trio, both, LONG.replace("lavender", "red"))


def test_end_of_text_is_not_the_second_prompt_that_was_concatenated(trio):
    """The maps of all words, <start> and <end> are what the first prompt gets; the rest is the second's."""

    def shares(positive: list) -> torch.Tensor:
        latent = nodes.EmptyLatentImage().generate(64, 64, 1)[0]
        settings = ("", True, 1, 1, 5.0, "euler", "normal", 1.0, 0.0, 1.0)
        _, maps = HRVTokenMaps.execute(trio.model, positive, trio.encode(""), latent, *settings).args
        assert maps.words[-2:] == ("<start>", "<end>")
        return torch.stack([layer.sum(1).mean() for layer in maps.layers])

    both = joined(prompt(trio, FIRST), prompt(trio, SECOND))
    assert (shares(both) < 0.9).all()
    assert torch.allclose(shares(tagged(trio, both, SECOND)), torch.tensor(1.0), atol=1e-3)


@pytest.mark.parametrize("tail", ["aligned", "index"])
def test_an_edit_of_prompts_with_the_same_appendix_leaves_it_in_its_place(trio, tail):
    latent = nodes.EmptyLatentImage().generate(64, 64, 1)[0]
    source, target = (joined(prompt(trio, text), prompt(trio, SECOND)) for text in (FIRST, "a blue cat"))
    (cross,) = edit(trio, source, target, latent, tail)[1][0][1][KEY].edit.cross
    assert cross.mapping.changed == (("blue", (2,)),)
    assert torch.equal(torch.from_numpy(cross.mapping.matrix), torch.eye(154))
    known, other = tagged(trio, source, SECOND), tagged(trio, target, SECOND)
    (again,) = edit(trio, known, other, latent, tail)[1][0][1][KEY].edit.cross
    assert (again.mapping.matrix == cross.mapping.matrix).all()


def test_an_edit_of_prompts_with_different_appendices_is_refused_until_they_are_tagged(trio):
    latent = nodes.EmptyLatentImage().generate(64, 64, 1)[0]
    source, target = (
        joined(prompt(trio, FIRST), prompt(trio, SECOND)),
        joined(prompt(trio, FIRST), prompt(trio, "a hat")),
    )
    for pair in ((source, target), (source, prompt(trio, FIRST))):
        with pytest.raises(HRVError, match="Other prompts were appended.*HRV Tag Conditioning"):
            edit(trio, *pair, latent)
    (cross,) = edit(trio, tagged(trio, source, SECOND), tagged(trio, target, "a hat"), latent)[1][0][1][KEY].edit.cross
    assert cross.mapping.changed == (("hat", (79,)),)


def test_a_context_that_was_cut_is_refused(trio):
    ((context, values),) = prompt(trio, LONG)
    with pytest.raises(HRVError, match="with 154 columns and has 77 now"):
        table_of([[context[:, :77], values]])


def test_an_edit_of_a_prompt_encoded_several_times_says_which_hooks_to_switch_off(trio):
    ((context, values),) = prompt(trio, FIRST)
    twice = [
        [context, {**values, "clip_start_percent": start, "clip_end_percent": start + 0.5}] for start in (0.0, 0.5)
    ]
    latent = nodes.EmptyLatentImage().generate(64, 64, 1)[0]
    with pytest.raises(
        HRVError, match="target is one prompt that was encoded 2 times.*schedule_clip in Set CLIP Hooks"
    ):
        edit(trio, prompt(trio, FIRST), twice, latent)


def test_maps_of_an_empty_prompt_are_refused_with_the_fix(trio):
    latent = nodes.EmptyLatentImage().generate(64, 64, 1)[0]
    settings = ("", False, 1, 1, 5.0, "euler", "normal", 1.0, 0.0, 1.0)
    with pytest.raises(HRVError, match="The prompt is empty.*special_tokens"):
        HRVTokenMaps.execute(trio.model, prompt(trio, ""), trio.encode(""), latent, *settings)


def test_core_s_sdxl_encoder_with_the_same_text_twice_is_tagged_and_keeps_its_sizes():
    xl = tiny_sdxl()
    sizes = {"width": 1024, "height": 768, "crop_w": 0, "crop_h": 0, "target_width": 1024, "target_height": 768}
    plain = CLIPTextEncodeSDXL.execute(xl.clip, **sizes, text_g=TEXT, text_l=TEXT).args[0]
    ((_, values),) = tagged(xl, plain, TEXT)
    assert {key: values[key] for key in sizes} == sizes
    assert values[KEY].table == table_of(prompt(xl, TEXT))
    other = CLIPTextEncodeSDXL.execute(xl.clip, **sizes, text_g=TEXT, text_l="a dog").args[0]
    with pytest.raises(HRVError, match="a token differs"):
        tagged(xl, other, TEXT)
