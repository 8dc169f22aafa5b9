"""Scorers: the pocket scorer reads its own world; the CLIP scorer is OpenCLIP's cosine and reads nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from hrv_engine.clip_scorer import CLIPScorer
from hrv_engine.errors import HRVError
from hrv_engine.pocket.render import render
from hrv_engine.pocket.scenes import Scene, Thing
from hrv_engine.scorers import PocketScorer, readable

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


def test_weights_without_a_text_encoder_are_refused_by_name(tiny_clip, tmp_path):
    save_file({"vision_model.embeddings.weight": torch.zeros(2)}, tmp_path / "ipadapter.safetensors")
    with pytest.raises(HRVError, match="ipadapter.safetensors holds no text encoder"):
        CLIPScorer(tmp_path / "ipadapter.safetensors", "hrv-tiny")


@pytest.mark.parametrize(
    "file, architecture, quoted",
    [
        ("absent.safetensors", "hrv-tiny", "There is no file"),
        ("tiny.safetensors", "ViT-H-15", '"ViT-H-15".*ViT-H-14'),
        ("tiny.safetensors", "RN50", "cannot be loaded as OpenCLIP RN50"),
        ("broken.safetensors", "hrv-tiny", "not a readable safetensors file"),
    ],
)
def test_files_and_architectures_that_do_not_fit_are_refused_with_the_fix(tiny_clip, file, architecture, quoted):
    (tiny_clip.parent / "broken.safetensors").write_bytes(b"no tensors here")
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
