"""HRV Suggest on real text encoders: words encoded together, unknown words, what the node gives."""

from __future__ import annotations

import csv
import io

import comfy.sd
import comfy.supported_models_base
import comfy.text_encoders.sd2_clip
import numpy as np
import pytest
import torch

from comfyui_hrv.hrv_engine.errors import HRVError
from comfyui_hrv.hrv_engine.pocket.model import MODELS
from comfyui_hrv.nodes.host.pocket import load_pocket
from comfyui_hrv.nodes.host.tokens import semantic_columns
from comfyui_hrv.nodes.host.words import concept_vectors, encode, unknown_words, word_vectors
from comfyui_hrv.nodes.steering.suggest import HRVSuggest
from comfyui_hrv.tests.nodes.tiny import CLIP, randomise, tiny_sdxl, tiny_trio
from comfyui_hrv.tools.figures import session

pytestmark = pytest.mark.usefixtures("inference_mode")
WORDS = ["red", "skyscraper", "polka dots", "rose-colored", "Black and white", "(blue:1.3)"]


def tiny_sd2():
    """A text encoder of SD2.x with random weights."""
    sd2 = comfy.text_encoders.sd2_clip
    target = comfy.supported_models_base.ClipTarget(sd2.SD2Tokenizer, sd2.SD2ClipModel)
    sizes = {"clip_h_model_config": CLIP | {"num_hidden_layers": 3}}
    clip = comfy.sd.CLIP(target, embedding_directory=None, model_options=sizes, state_dict=[])
    randomise(clip.cond_stage_model, 1)
    return clip


ENCODERS = {
    "sd1": lambda: tiny_trio().clip,
    "sd2": tiny_sd2,
    "sdxl": lambda: tiny_sdxl().clip,
    "pocket": lambda: load_pocket(MODELS["squares"])[1],
}


@pytest.fixture(scope="module", params=ENCODERS)
def clip(request):
    with torch.inference_mode():
        return ENCODERS[request.param]()


def suggest(prompt: str, words: str = "", desired: str = "", shown: int = 3, hrv=None, clip=None) -> tuple:
    clip = clip or session.pocket()[1]
    return HRVSuggest.execute(prompt, hrv or session.vectors(), words, clip, desired, shown).args


def test_words_encoded_together_are_the_mean_of_their_tokens_encoded_alone(clip):
    found = word_vectors(clip, WORDS + [f"{a} {b}" for a in "abcdef" for b in "ghijkl"])
    for word in WORDS:
        alone = encode(clip, word)[0][0][0, list(semantic_columns(clip, word))].float().mean(dim=0)
        np.testing.assert_allclose(found[word], alone, atol=2e-5)


def test_concept_words_are_encoded_again_only_for_other_concepts_or_another_text_encoder():
    clip, concepts = tiny_trio().clip, session.vectors().concepts
    first = concept_vectors(clip, concepts)
    assert concept_vectors(clip, concepts) is first
    assert len(concept_vectors(clip, concepts.keep(["Color"]))) == 8 < len(first)
    np.testing.assert_array_equal(concept_vectors(clip, concepts)["red"], first["red"])

    changed = clip.clone()
    key = next(name for name in clip.patcher.model.state_dict() if name.endswith("layers.0.mlp.fc1.weight"))
    weight = clip.patcher.model.state_dict()[key]
    changed.add_patches({key: (torch.randn_like(weight),)}, 1.0)
    assert np.abs(concept_vectors(changed, concepts)["red"] - first["red"]).max() > 1e-3
    np.testing.assert_allclose(concept_vectors(clip, concepts)["red"], first["red"], atol=1e-6)


def test_a_word_without_tokens_is_named(clip):
    with pytest.raises(HRVError, match='The word " " has no tokens'):
        word_vectors(clip, ["red", " "])


def test_a_word_that_the_pocket_encoder_has_never_seen_is_told_from_one_it_knows():
    clip = session.pocket()[1]
    vectors = word_vectors(clip, ["orange", "vase", "skyscraper", "wizard", "star"])
    assert unknown_words(clip, vectors) == ["vase", "skyscraper", "wizard"]


def test_an_encoder_that_tells_all_words_apart_has_no_unknown_ones():
    clip = tiny_trio().clip
    assert unknown_words(clip, word_vectors(clip, ["orange", "vase", "skyscraper", "wizard"])) == []


@pytest.mark.parametrize("name", ["sd1", "sd2", "sdxl"])
def test_the_node_runs_on_every_kind_of_checkpoint(name):
    report, word, desired, undesired, image, table = suggest("A vase, in (lavender:1.2) color", clip=ENCODERS[name]())
    names = session.vectors().concepts.names
    assert word in ("vase", "lavender", "color") and {desired, undesired} < set(names)
    assert "of 59" in report and image.shape[0] == 1 and float(image.std()) > 0.05
    assert len(list(csv.DictReader(io.StringIO(table)))) == 3 * len(names)


def test_the_pocket_models_polysemous_word_is_proposed_with_both_its_senses():
    report, word, desired, undesired, _, _ = suggest("an orange square")
    assert (word, desired, undesired) == ("orange", "Color", "Fruit")
    assert "It is a word of Shape" in report


def test_a_meaning_that_is_given_is_the_desired_one():
    assert suggest("a rose circle", words="rose", desired="plant")[1:3] == ("rose", "Plant")


def test_more_senses_are_shown_when_asked_for():
    few, many = (suggest("an orange square", shown=shown) for shown in (1, 12))
    assert "Weather" not in few[0] and "Weather" in many[0]
    assert many[4].shape[1] > few[4].shape[1] and many[5] == few[5]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"prompt": "  "}, "prompt is empty"),
        ({"prompt": "a photo of two"}, '"a photo of two" has no word that could mean'),
        ({"prompt": "a rose circle", "words": "rosy"}, '"rosy" is not in the prompt "a rose circle"'),
        ({"prompt": "a rose circle", "desired": "Colour"}, 'no concept "Colour".*Color'),
    ],
    ids=["no prompt", "nothing to see", "an absent word", "an unknown concept"],
)
def test_a_wrong_input_is_quoted_with_the_way_out(values, message):
    with pytest.raises(HRVError, match=message):
        suggest(**values)
