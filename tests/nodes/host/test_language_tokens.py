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


@pytest.mark.parametrize("name", ["Z-Image", "Qwen-Image"])
def test_a_phrase_of_a_language_without_blanks_is_found_by_its_tokens(name, clip):
    text = "\u4e00\u8f86\u7ea2\u8272\u6c7d\u8f66\u505c\u5728\u96ea\u5730\u91cc"  # a red car stands in the snow
    table = table_of(HRVPrompt.execute(clip, text).args[0])
    (car,) = table.find("\u6c7d\u8f66")
    (red,) = table.find("\u7ea2\u8272")
    assert car and red and set(car).isdisjoint(red)


@pytest.mark.parametrize("name", ["SD3", "HiDream"])
def test_a_word_of_two_encoders_has_columns_in_both(name, clip):
    table = table_of(HRVPrompt.execute(clip, "red car").args[0])
    (red,), length = table.find("red"), table.length
    assert len(red) == 2 and red[1] - red[0] == (76 if name == "SD3" else length + 1)


@pytest.mark.parametrize("name", ["Z-Image", "Qwen-Image", "klein", "Krea 2", "Boogu", "Ideogram 4", "OmniGen2"])
def test_the_columns_hold_the_words(name, clip):
    """Another word in the prompt changes the context first at that word's column in an encoder that reads forwards."""
    one, other = (HRVPrompt.execute(clip, f"a {word} car").args[0] for word in ("red", "big"))
    differs = (one[0][0] != other[0][0]).any(dim=-1)[0].nonzero().flatten().tolist()
    assert differs[0] == table_of(one).find("red")[0][0] == table_of(other).find("big")[0][0]
