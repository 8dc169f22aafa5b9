"""Words of a prompt in the contexts of language models: found by the host's own tokenizers, templates and code."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import nodes
from comfyui_hrv.nodes.host.conditioning import table_of
from comfyui_hrv.nodes.prompt import HRVPrompt

from .tiny_encoders import ENCODERS

pytestmark = pytest.mark.usefixtures("inference_mode")
ACROSS = "HunyuanVideo"  # whose tokenizer, under some versions of transformers, reads across blanks
CARRIED = ("Flux.2", "Ernie-Image", "NewBie", "LTX-2")  # whose vocabulary comes with the checkpoint
RED, CAR = "\u7ea2\u8272", "\u6c7d\u8f66"
_clips: dict[str, Any] = {}


@pytest.fixture(params=list(ENCODERS))
def name(request) -> str:
    return request.param


@pytest.fixture
def clip(name) -> Any:
    if name not in _clips:
        _clips[name] = ENCODERS[name].clip()
    return _clips[name]


def test_the_prompt_is_that_of_the_host_to_the_bit_and_its_words_are_found(name, clip):
    text = "red car and blue trees"
    ours = HRVPrompt.execute(clip, text).args[0]
    ((context, values),) = ours
    ((theirs, others),) = nodes.CLIPTextEncode().encode(clip, text)[0]
    assert torch.equal(context, theirs)
    assert set(values) - {"hrv"} == set(others)
    table = table_of(ours)
    assert name == ACROSS or table.words() == text.split()
    (red,), (car,), (both,) = map(table.find, ("red", "car", "red car"))
    assert red[0] == ENCODERS[name].first and set(both) == set(red) | set(car)


def test_the_template_around_a_prompt_has_no_words(name, clip):
    """Words of the template are not found, and a prompt may be one of them."""
    table = table_of(HRVPrompt.execute(clip, "describe the image").args[0])
    assert name == ACROSS or table.words() == ["describe", "the", "image"]
    assert len(table.find("image")) == 1
    assert not table.find("assistant")


@pytest.mark.parametrize(
    ("name", "text", "phrase", "words"),
    [
        ("Flux.1", "a (red:1.5)-ish ((car)), blue", "red", ["a", "red", "-", "ish", "car", ",", "blue"]),
        ("Flux.1", "rose-colored, don't", "rose-colored", ["rose-colored", ",", "don't"]),
        ("Z-Image", "a (red:1.5) car", "red", ["a", "(", "red", ":", "1.5", ")", "car"]),
        ("Z-Image", "two\nlines  of caf\u00e9", "caf\u00e9", ["two", "lines", "of", "caf\u00e9"]),
        ("Qwen-Image", 'a sign "OPEN LATE", neon', "open late", ["a", "sign", '"', "OPEN", "LATE", '",', "neon"]),
    ],
)
def test_weights_marks_and_lines_are_read_as_the_host_reads_them(name, text, phrase, words, clip):
    table = table_of(HRVPrompt.execute(clip, text).args[0])
    assert table.words() == words and len(table.find(phrase)) == 1


@pytest.mark.parametrize("name", ["Z-Image", "Qwen-Image", *CARRIED])
def test_a_phrase_of_a_language_without_blanks_is_found_by_its_tokens(name, clip):
    text = f"\u4e00\u8f86{RED}{CAR}\u505c\u5728\u96ea\u5730\u91cc"  # a red car stands in the snow
    table = table_of(HRVPrompt.execute(clip, text).args[0])
    (car,), (red,) = table.find(CAR), table.find(RED)
    assert car and red and set(car).isdisjoint(red)


@pytest.mark.parametrize("name", CARRIED)
def test_a_vocabulary_from_a_checkpoint_finds_words_phrases_and_repeats_in_other_scripts(name, clip):
    text = f"un caf\u00e9 (red:1.5), {RED}{CAR}, \u0e41\u0e21\u0e27 red car \\(old\\) and the red car"
    ours, theirs = HRVPrompt.execute(clip, text).args[0], nodes.CLIPTextEncode().encode(clip, text)[0]
    assert torch.equal(ours[0][0], theirs[0][0])
    table = table_of(ours)
    assert table.words()[:8] == ["un", "caf\u00e9", "(", "red", ":", "1.5", "),", RED + CAR]
    found = [table.find(phrase) for phrase in ("caf\u00e9", "red", CAR, "\u0e41\u0e21\u0e27", "red car", "(old)")]
    assert [len(places) for places in found] == [1, 3, 1, 1, 2, 1]
    columns = [column for places in found[:4] for own in places for column in own]
    assert len(set(columns)) == len(columns) and max(columns) < ours[0][0].shape[1]
    assert [own[: len(red)] for own, red in zip(found[4], found[1][1:], strict=True)] == found[1][1:]


@pytest.mark.parametrize("name", ["NewBie", "LTX-2"])
def test_a_template_that_is_typed_with_the_prompt_is_read_as_one(name, clip):
    typed = "<start_of_turn>user\na red car<end_of_turn>\n<start_of_turn>model\n"
    table = table_of(HRVPrompt.execute(clip, typed).args[0])
    (red,), (user,) = table.find("red"), table.find("user")
    (ends,) = table.find("<end_of_turn>")
    assert max(user) < min(red) < max(red) < min(ends) and len(ends) == 1


def test_the_words_of_ltx_2_are_in_the_same_columns_under_either_projection(monkeypatch):
    clip = ENCODERS["LTX-2"].clip()
    text = "a red car and blue trees"
    double = table_of(HRVPrompt.execute(clip, text).args[0])
    encoder = clip.cond_stage_model
    channels = encoder.text_embedding_projection.video_aggregate_embed.in_features
    monkeypatch.setattr(encoder, "text_projection_type", "single_linear")
    encoder.text_embedding_projection = torch.nn.Linear(channels, 24, bias=False)
    ours, theirs = HRVPrompt.execute(clip, text).args[0], nodes.CLIPTextEncode().encode(clip, text)[0]
    assert torch.equal(ours[0][0], theirs[0][0])
    single = table_of(ours)
    assert single.pieces == double.pieces and single.length == double.length == ours[0][0].shape[1]


@pytest.mark.parametrize("name", ["SD3", "HiDream"])
def test_a_word_of_two_encoders_has_columns_in_both(name, clip):
    table = table_of(HRVPrompt.execute(clip, "red car").args[0])
    (red,), length = table.find("red"), table.length
    assert len(red) == 2 and red[1] - red[0] == (76 if name == "SD3" else length + 1)


FORWARDS = ("Z-Image", "Qwen-Image", "klein", "Krea 2", "Boogu", "Ideogram 4", "OmniGen2", *CARRIED)


@pytest.mark.parametrize("name", FORWARDS)
def test_the_columns_hold_the_words(name, clip):
    """Another word in the prompt changes the context first at that word's column in an encoder that reads forwards."""
    one, other = (HRVPrompt.execute(clip, f"a {word} car").args[0] for word in ("red", "big"))
    length = min(one[0][0].shape[1], other[0][0].shape[1])  # the words may have different numbers of tokens
    differs = (one[0][0][:, :length] != other[0][0][:, :length]).any(dim=-1)[0].nonzero().flatten().tolist()
    assert differs[0] == min(table_of(one).find("red")[0][0], table_of(other).find("big")[0][0])
