"""Word positions from ComfyUI's real tokenizers."""

from __future__ import annotations

import comfy.sd1_clip
import comfy.sdxl_clip
import pytest
import torch
from safetensors.torch import save_file

import nodes
from comfyui_hrv.hrv_engine.editing.mapping import map_tokens
from comfyui_hrv.hrv_engine.errors import HRVError
from comfyui_hrv.nodes.host.conditioning import table_of
from comfyui_hrv.nodes.host.tokens import token_table
from comfyui_hrv.nodes.prompt import HRVPrompt
from comfyui_hrv.nodes.see.token_maps import HRVTokenMaps


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


TAGS = "a photo,1girl,solo,standing,blush,red eyes"


@pytest.mark.parametrize(
    "text, phrase, columns",
    [
        (TAGS, "red eyes", [(13, 14)]),
        (TAGS, "1girl", [(4, 5)]),
        (TAGS, "girl", [(5,)]),
        ("red, shiny", "red", [(1,)]),
        ("red,(shiny:1.2)", "shiny", [(3,)]),
        ("(masterpiece)(best quality)", "best quality", [(2, 3)]),
        ("red/blue;green:black", "green", [(5,)]),
        ("a red|blue cat", "blue", [(4,)]),
        ("a \u201cred\u201d cat", "red", [(4,)]),  # two tokens for the quote
        ("U.S., a flag", "U.S.", [(1, 2, 3, 4)]),
        ("a 3:4 photo", "3:4", [(2, 3, 4)]),
        ("4k photo of 4 cats", "4", [(5,)]),
        ("(rose:1.2)-colored vase", "rose-colored", [(1, 2, 3)]),
        (r"a \(lavender\), vase", r"\(lavender\)", [(2, 3, 4)]),
        (r"a \(lavender\), vase", "(lavender)", [(2, 3, 4)]),
        (r"(\(lavender\):1.3)", r"\(lavender\)", [(1, 2, 3)]),
        ("a cat<|endoftext|>dog here", "dog", [(4,)]),
        ("a <|startoftext|> cat", "cat", [(3,)]),
        ("a <|endoftext|> cat", "<|endoftext|>", [(2,)]),
        ("🐱,red", "red", [(3,)]),
        ("🐱,red", "🐱", [(1,)]),
        ("cat\u3000dog", "dog", [(2,)]),
    ],
)
def test_words_end_where_a_person_ends_them(clip, text, phrase, columns):
    assert token_table(clip, text).find(phrase) == columns


@pytest.mark.parametrize("text", ["ΣΟΦΟΣ ΟΔΥΣΣΕΥΣ", "σοφος οδυσσευς", "Σοφος,ΟΔΥΣΣΕΥΣ"])
def test_greek_words_are_found_in_capitals_and_in_small_letters(clip, text):
    table = token_table(clip, text)
    for word in ("ΣΟΦΟΣ", "σοφος", "ΟΔΥΣΣΕΥΣ", "οδυσσευς"):
        assert len(table.find(word)) == 1
    assert table.find("ΣΟΦΟΣ") == table.find("σοφος")


def test_words_apart_by_ideographic_punctuation_are_found(clip):
    table = token_table(clip, "赤い目、青い髪。「cat」")
    assert [word for word, _ in table.spoken()] == ["赤い目", "青い髪", "cat"]
    assert all(table.find(word) == [columns] for word, columns in table.spoken())


@pytest.fixture(scope="module")
def with_embeddings(tmp_path_factory):
    """Tokenizers that find embeddings of one, two and three vectors, and of another model's width."""
    folder = tmp_path_factory.mktemp("embeddings")
    for name, vectors in (("one", 3), ("uno", 3), ("One", 2), ("single", 1), ("a(b)", 2)):
        save_file(
            {"clip_l": torch.randn(vectors, 768), "clip_g": torch.randn(vectors, 1280)}, folder / f"{name}.safetensors"
        )
    save_file({"emb_params": torch.randn(2, 1024)}, folder / "sd2.safetensors")
    return {
        "sd1": Encoder(comfy.sd1_clip.SD1Tokenizer(embedding_directory=str(folder))),
        "sdxl": Encoder(comfy.sdxl_clip.SDXLTokenizer(embedding_directory=str(folder))),
    }


@pytest.mark.parametrize("kind", ["sd1", "sdxl"])
@pytest.mark.parametrize(
    "text, phrase, columns",
    [
        ("a embedding:one car", "embedding:one", [(2, 3, 4)]),
        ("a embedding:one embedding:uno", "embedding:uno", [(5, 6, 7)]),
        ("a embedding:one car", "embedding:uno", []),
        ("a embedding:one and embedding:One", "embedding:One", [(6, 7)]),
        ("a (embedding:one.safetensors:1.2) car", "embedding:one.safetensors", [(2, 3, 4)]),
        ("embedding:single, red", "embedding:single", [(1,)]),
        ("embedding:single, red", "red", [(3,)]),
        ("(embedding:single)(embedding:uno)red", "embedding:uno", [(2, 3, 4)]),
        (r"a embedding:a\(b\) car", r"embedding:a\(b\)", [(2, 3)]),
        ("a embedding:one car", "a embedding:one car", [(1, 2, 3, 4, 5)]),
        ("a embedding:one car", "one", []),
        ("a embedding:missing car", "car", [(2,)]),
    ],
)
def test_an_embedding_is_one_word_by_its_name(with_embeddings, kind, text, phrase, columns):
    table = token_table(with_embeddings[kind], text)
    assert table.find(phrase) == columns
    assert "\x00" not in "".join(table.words())


def test_an_embedding_over_the_border_of_two_chunks_is_one_word(with_embeddings):
    (columns,) = token_table(with_embeddings["sd1"], "cat " * 74 + "embedding:one").find("embedding:one")
    assert len(columns) == 3 and columns == (78, 79, 80)  # core does not part so short a word


def test_vectors_that_core_leaves_out_take_no_column(with_embeddings):
    table = token_table(with_embeddings["sd1"], "a embedding:sd2 car")
    assert table.find("car") == [(2,)] and table.words() == ["a", "car"]


def test_embeddings_that_one_of_two_encoders_leaves_out_are_refused(with_embeddings, tmp_path):
    save_file({"emb_params": torch.randn(1, 768)}, tmp_path / "small.safetensors")
    xl = Encoder(comfy.sdxl_clip.SDXLTokenizer(embedding_directory=str(tmp_path)))
    with pytest.raises(HRVError, match="split .* differently"):
        token_table(xl, "a embedding:small car")


@pytest.mark.parametrize(
    "text, said",
    [
        ("a \ud83c cat", "half a character at place 3"),
        ("embedding:", "without a name"),
        ("(" * 3000 + "a" + ")" * 3000, "deep"),
    ],
)
def test_texts_that_the_tokenizer_cannot_read_are_refused(with_embeddings, text, said):
    with pytest.raises(HRVError, match=said):
        token_table(with_embeddings["sd1"], text)


def test_a_tokenizer_that_another_node_changed_is_refused_when_its_words_cannot_be_told(clip):
    class Other(Encoder):
        def tokenize(self, text, return_word_ids=False):
            return super().tokenize(text.replace("BREAK", ","), return_word_ids)

    assert token_table(Other(clip.tokenizer), "a cat").words() == ["a", "cat"]
    with pytest.raises(HRVError, match="reads .*BREAK.* in a way of its own.*HRV Tag Conditioning"):
        token_table(Other(clip.tokenizer), "a cat BREAK a dog")


def test_an_encoded_prompt_says_for_how_many_columns_its_words_are(trio):
    long = "a cat, " * 40
    for text in ("", "a cat", long):
        ((context, values),) = HRVPrompt.execute(trio.clip, text).args[0]
        assert values["hrv"].columns == values["hrv"].table.length == context.shape[1]


@pytest.fixture
def embedded(trio, tmp_path, monkeypatch):
    """The tiny SD1.5 with embeddings of its own width, and one of another model."""
    for name, shape in (("one", (3, 64)), ("uno", (3, 64)), ("foreign", (2, 32))):
        save_file({"clip_l": torch.randn(shape)}, tmp_path / f"{name}.safetensors")
    monkeypatch.setattr(trio.clip.tokenizer.clip_l, "embedding_directory", str(tmp_path))
    return trio


@pytest.mark.usefixtures("inference_mode")
def test_maps_of_embeddings_are_titled_by_their_names(embedded):
    positive = HRVPrompt.execute(embedded.clip, "a embedding:one embedding:uno, cat").args[0]
    latent = nodes.EmptyLatentImage().generate(64, 64, 1)[0]
    settings = ("", False, 1, 1, 5.0, "euler", "normal", 1.0, 0.0, 1.0)
    _, maps = HRVTokenMaps.execute(embedded.model, positive, embedded.encode(""), latent, *settings).args
    assert maps.words == ("a", "embedding:one", "embedding:uno", ",", "cat")


@pytest.mark.usefixtures("inference_mode")
def test_one_embedding_for_another_is_a_new_word(embedded):
    source, target = (HRVPrompt.execute(embedded.clip, f"a embedding:{name} cat").args[0] for name in ("one", "uno"))
    mapping = map_tokens(table_of(source), table_of(target), (77, 77))
    assert mapping.changed == (("embedding:uno", (2, 3, 4)),)


@pytest.mark.usefixtures("inference_mode")
def test_words_after_vectors_that_core_leaves_out_are_in_the_columns_where_core_puts_them(embedded):
    ours = HRVPrompt.execute(embedded.clip, "a embedding:foreign cat").args[0]
    theirs, cat = embedded.encode("a cat"), list(table_of(ours).columns_of("cat"))
    assert cat == [2] and torch.allclose(ours[0][0][0, cat], theirs[0][0][0, cat], atol=1e-5)
