"""Word positions from ComfyUI's real tokenizers."""

from __future__ import annotations

import comfy.sd1_clip
import comfy.sdxl_clip
import pytest

from comfyui_hrv.hrv_engine.errors import HRVError
from comfyui_hrv.nodes.host.tokens import token_table


class Encoder:
    """Only the tokenizing half of ComfyUI's CLIP; no weights are needed to find words."""

    def __init__(self, tokenizer) -> None:
        self.tokenizer = tokenizer

    def tokenize(self, text: str, return_word_ids: bool = False):
        return self.tokenizer.tokenize_with_weights(text, return_word_ids)


@pytest.fixture(scope="module", params=["sd1", "sdxl"])
def clip(request) -> Encoder:
    kinds = {"sd1": comfy.sd1_clip.SD1Tokenizer, "sdxl": comfy.sdxl_clip.SDXLTokenizer}
    return Encoder(kinds[request.param]())


@pytest.mark.parametrize(
    "text, phrase, columns",
    [
        ("a vase in lavender color", "lavender", [(4,)]),
        ("A Vase in Lavender color", "lavender", [(4,)]),
        ("a (lavender:1.3) vase", "lavender", [(2,)]),
        ("a ((lavender)), (vase:0.5)", "vase", [(4,)]),
        ("a rose-colored vase", "rose-colored", [(2, 3, 4)]),
        ("a skyscraper", "skyscraper", [(2, 3, 4)]),
        ("a rose beside a rose", "rose", [(2,), (5,)]),
        ("a red cat and a red catfish", "red cat", [(2, 3)]),
        ("a skateboarder", "boarder", []),
        ("un café crème", "café crème", [(2, 3, 4)]),
        (r"a vase \(lavender\)", "lavender", [(4,)]),
    ],
)
def test_words_are_found_where_the_tokenizer_put_them(clip, text, phrase, columns):
    found = token_table(clip, text).find(phrase)
    if "café" in text:
        assert len(found) == 1 and found[0][0] == 2
    else:
        assert found == columns


def test_words_beyond_77_tokens_stand_in_the_column_of_their_chunk(clip):
    text = "one two three four, " * 20 + "a lavender vase"
    (columns,) = token_table(clip, text).find("lavender")
    chunks = clip.tokenize(text)["l"]
    chunk, index = divmod(columns[0], 77)
    assert chunk >= 1 and clip.tokenizer.clip_l.inv_vocab[chunks[chunk][index][0]] == "lavender</w>"


def test_a_phrase_may_run_over_the_border_of_two_chunks(clip):
    text = "dog " * 74 + "deep blue sea"
    (columns,) = token_table(clip, text).find("deep blue sea")
    assert columns[0] < 77 <= columns[-1]


def test_an_encoder_that_is_not_clip_is_refused(clip):
    class T5(Encoder):
        def tokenize(self, text, return_word_ids=False):
            return {"t5xxl": [[(3, 1.0, 1)]]}

    with pytest.raises(HRVError, match="t5xxl"):
        token_table(T5(clip.tokenizer), "a vase")
