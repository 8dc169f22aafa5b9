"""Scorers: the pocket scorer reads its own world; the CLIP scorer is OpenCLIP's cosine and reads nothing else."""

from __future__ import annotations

import gc
import json
import re
import shutil
import weakref
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from hrv_engine.errors import HRVError
from hrv_engine.pocket.render import render
from hrv_engine.pocket.scenes import Scene, Thing
from hrv_engine.pocket.scorer import PocketScorer, readable
from hrv_engine.scoring import clip_scorer
from hrv_engine.scoring.clip_scorer import CLIPScorer, filled, imagenet_templates

TINY = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16, "head_width": 32},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}


@pytest.fixture(scope="module")
def tiny_clip(tmp_path_factory) -> Path:
    """Random weights of a tiny OpenCLIP architecture that this session's OpenCLIP knows as `hrv-tiny`."""
    folder = tmp_path_factory.mktemp("clip")
    (folder / "hrv-tiny.json").write_text(json.dumps(TINY))
    open_clip.add_model_config(folder / "hrv-tiny.json")
    torch.manual_seed(0)
    save_file(open_clip.create_model("hrv-tiny").state_dict(), folder / "tiny.safetensors")
    return folder / "tiny.safetensors"


def test_a_clip_score_is_the_cosine_of_openclips_own_embeddings(tiny_clip):
    images = torch.rand(20, 40, 60, 3)
    scores = CLIPScorer(tiny_clip, "hrv-tiny").score(images, "red")
    model, preprocess = open_clip.create_model_from_pretrained("hrv-tiny", pretrained=str(tiny_clip))
    text = open_clip.get_tokenizer("hrv-tiny")(["red"])
    with torch.no_grad():
        word = torch.nn.functional.normalize(model.eval().encode_text(text), dim=-1)
        for image, score in zip(images, scores, strict=True):
            picture = Image.fromarray((image * 255).round().byte().numpy())
            seen = torch.nn.functional.normalize(model.encode_image(preprocess(picture)[None]), dim=-1)
            assert score == pytest.approx(float((seen @ word.T)[0, 0]), abs=1e-5)
    assert len(scores) == 20 and np.ptp(scores) > 1e-4


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_half_precision_gives_nearly_the_same_scores(tiny_clip, precision):
    images = torch.rand(3, 40, 60, 3)
    expected = CLIPScorer(tiny_clip, "hrv-tiny").score(images, "red")
    halved = CLIPScorer(tiny_clip, "hrv-tiny", precision=precision).score(images, "red")
    np.testing.assert_allclose(halved, expected, atol=0.02)


@pytest.mark.parametrize("wrapped", [True, False])
def test_pickled_weights_score_as_the_safetensors_they_hold(tiny_clip, tmp_path, wrapped):
    weights = load_file(tiny_clip)
    torch.save({"state_dict": weights} if wrapped else weights, tmp_path / "tiny.pt")
    images = torch.rand(2, 32, 32, 3)
    expected = CLIPScorer(tiny_clip, "hrv-tiny").score(images, "red")
    np.testing.assert_array_equal(CLIPScorer(tmp_path / "tiny.pt", "hrv-tiny").score(images, "red"), expected)


def test_the_model_before_is_let_go_when_another_is_loaded(tiny_clip, tmp_path):
    CLIPScorer(tiny_clip, "hrv-tiny").score(torch.rand(1, 32, 32, 3), "red")
    (first,) = (weakref.ref(model) for model, _, _ in clip_scorer._kept.values())
    shutil.copy(tiny_clip, tmp_path / "other.safetensors")
    CLIPScorer(tmp_path / "other.safetensors", "hrv-tiny").score(torch.rand(1, 32, 32, 3), "red")
    gc.collect()
    assert first() is None and len(clip_scorer._kept) == 1


@pytest.mark.parametrize("suffix, write", [("safetensors", save_file), ("bin", torch.save)])
def test_weights_without_a_text_encoder_are_refused_by_name(tiny_clip, tmp_path, suffix, write):
    write({"vision_model.embeddings.weight": torch.zeros(2)}, tmp_path / f"ipadapter.{suffix}")
    with pytest.raises(HRVError, match=f"ipadapter.{suffix} holds no text encoder"):
        CLIPScorer(tmp_path / f"ipadapter.{suffix}", "hrv-tiny")


def test_an_architecture_that_would_go_to_the_network_is_refused_for_a_file(tiny_clip):
    with pytest.raises(HRVError, match='"roberta-ViT-B-32" fetches its text encoder'):
        CLIPScorer(tiny_clip, "roberta-ViT-B-32")


@pytest.mark.parametrize(
    "file, architecture, quoted",
    [
        ("absent.safetensors", "hrv-tiny", "There is no file"),
        ("tiny.safetensors", "ViT-H-15", '"ViT-H-15".*ViT-H-14'),
        ("tiny.safetensors", "RN50", "cannot be loaded as OpenCLIP RN50"),
        ("broken.safetensors", "hrv-tiny", "not a readable checkpoint"),
        ("broken.pt", "hrv-tiny", "not a readable checkpoint"),
    ],
)
def test_files_and_architectures_that_do_not_fit_are_refused_with_the_fix(tiny_clip, file, architecture, quoted):
    for broken in ("broken.safetensors", "broken.pt"):
        (tiny_clip.parent / broken).write_bytes(b"no tensors here")
    with pytest.raises(HRVError, match=quoted):
        CLIPScorer(tiny_clip.parent / file, architecture).score(torch.rand(1, 32, 32, 3), "red")


def test_an_empty_word_is_refused(tiny_clip):
    with pytest.raises(HRVError, match="no word"):
        CLIPScorer(tiny_clip, "hrv-tiny").score(torch.rand(1, 32, 32, 3), " ")


def test_the_pocket_scorer_finds_what_was_drawn_and_nothing_else():
    scenes = [Scene((Thing("star", "red"),), scene="desert"), Scene((Thing("circle", "blue"),), weather="snowy")]
    pictures = render(scenes, seed=0).movedim(1, -1)
    scorer = PocketScorer()
    for words in (("red", "blue"), ("star", "circle"), ("desert", "snowy")):
        table = np.stack([scorer.score(pictures, word) for word in words])
        assert table[0, 0] > 0.8 and table[1, 1] > 0.8 and table[0, 1] < 0.2 and table[1, 0] < 0.2, words


@pytest.mark.parametrize(
    "word, family",
    [("red", "color"), ("Orange", "color"), ("orange fruit", "object"), ("cherries", "object"), ("night", "scene")],
)
def test_a_word_belongs_to_the_family_it_names(word, family):
    assert readable(word)[0] == family


def test_words_and_sizes_it_cannot_read_are_refused_with_what_it_can():
    with pytest.raises(HRVError, match='cannot read "starr".*Nearest: "star"'):
        readable("starr")
    with pytest.raises(HRVError, match="64 x 48 pixels.*32 x 32"):
        PocketScorer().score(torch.rand(1, 48, 64, 3), "red")


def test_with_templates_the_prompt_is_the_mean_of_the_sentences_around_it(tiny_clip):
    images, sentences = torch.rand(3, 32, 32, 3), ("a photo of a {}.", "the {} in a video game.")
    plain = CLIPScorer(tiny_clip, "hrv-tiny")
    texts = plain.embed(["a photo of a red cat.", "a red cat in a video game."])
    found = CLIPScorer(tiny_clip, "hrv-tiny", templates=sentences)
    mean = torch.nn.functional.normalize(texts.sum(0), dim=-1)
    torch.testing.assert_close(found.embed_prompt("a red cat"), mean)
    assert np.abs(found.score(images, "a red cat") - plain.score(images, "a red cat")).max() > 1e-5


def test_the_articles_of_the_80_sentences_give_way_to_the_texts_own():
    templates = imagenet_templates()
    assert len(templates) == 80 and all(template.count("{}") == 1 for template in templates)
    texts = [filled(template, "a zebra and an ant") for template in templates]
    assert "a photo of a zebra and an ant." in texts and "a bad photo of a zebra and an ant." in texts
    assert not [text for text in texts if re.search(r"\b(a|an|the) (a|an|the) ", text)]
    assert filled("a photo of a {}.", "cat") == "a photo of a cat."
