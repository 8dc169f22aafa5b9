"""Captions and their similarity on a tiny BLIP-2 of the real classes: what transformers itself says, and OpenCLIP."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from comfyui_hrv.tests import tiny_eval
from hrv_engine.errors import HRVError
from hrv_engine.scoring import pretrained
from hrv_engine.scoring.caption_scorer import CaptionScorer
from hrv_engine.scoring.captions import AT_ONCE, BEAMS, LONGEST, Captioner
from hrv_engine.scoring.pretrained import BLIP2, model_type


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A tiny BLIP-2 as a model folder."""
    return tiny_eval.save_blip2(tmp_path_factory.mktemp("models") / "blip2-tiny")


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    """Eleven images, more than go through in one pass."""
    draw = torch.Generator().manual_seed(1)
    return torch.rand(AT_ONCE + 3, 40, 56, 3, generator=draw) * torch.rand(AT_ONCE + 3, 1, 1, 3, generator=draw)


class Letters:
    """A text encoder whose vector counts letters: similarities can be checked by hand."""

    def embed(self, texts):
        counts = torch.tensor([[text.count(letter) for letter in "abcdefghijklmnopqrstuvwxyz"] for text in texts])
        return torch.nn.functional.normalize(counts.float(), dim=-1)

    def embed_prompt(self, text):
        return self.embed([text])[0]


def test_captions_are_those_that_transformers_generates_image_by_image(folder, images):
    from transformers import Blip2ForConditionalGeneration, Blip2Processor

    model = Blip2ForConditionalGeneration.from_pretrained(folder).eval()
    processor = Blip2Processor.from_pretrained(folder)
    expected = []
    for image in images:
        picture = (image * 255).round().byte().numpy()
        tokens = model.generate(**processor(picture, return_tensors="pt"), num_beams=BEAMS, max_new_tokens=LONGEST)
        expected.append(processor.decode(tokens[0], skip_special_tokens=True).strip())
    assert Captioner(folder).captions(images) == expected
    assert len(set(expected)) > 3, "every image has the same caption"
    assert set(" ".join(expected).split()) <= set(tiny_eval.WORDS)


def test_the_score_is_the_cosine_of_caption_and_prompt_and_captions_are_kept(folder, images):
    scorer = CaptionScorer(Captioner(folder), Letters())
    scores = scorer.score(images, "a red cat")
    assert scores.shape == (len(images),) and scores.dtype == np.float64 and np.ptp(scores) > 0.05
    assert scorer.captions == Captioner(folder).captions(images)
    for caption, score in zip(scorer.captions, scores, strict=True):
        found, wanted = Letters().embed([caption, "a red cat"])
        assert score == pytest.approx(float(found @ wanted), abs=1e-6)
    assert scorer.score(images[:1], scorer.captions[0])[0] == pytest.approx(1.0, abs=1e-6)


def test_the_model_is_loaded_once_and_let_go_for_another(folder, images, tmp_path):
    Captioner(folder).captions(images[:1])
    (first, *_), model, _ = pretrained._kept["blip-2"]
    Captioner(folder).captions(images[:1])
    assert pretrained._kept["blip-2"][1] is model and first == str(folder)
    other = tiny_eval.save_blip2(tmp_path / "other", seed=5)
    assert Captioner(other).captions(images) != Captioner(folder).captions(images)
    assert list(pretrained._kept).count("blip-2") == 1


def test_a_folder_of_another_model_or_of_none_is_refused_by_name(folder, tmp_path):
    other = tiny_eval.save_dinov2(tmp_path / "dino")
    assert (model_type(folder), model_type(other), model_type(tmp_path)) == ("blip-2", "dinov2", None)
    with pytest.raises(HRVError, match="dino holds a model of type dinov2, but Captioning needs BLIP-2"):
        Captioner(other)
    with pytest.raises(HRVError, match="holds no config.json.*Salesforce/blip2-opt-2.7b"):
        Captioner(tmp_path)


def test_weights_that_lack_a_tensor_are_refused_instead_of_filled_with_noise(folder, images, tmp_path):
    broken = Path(shutil.copytree(folder, tmp_path / "broken"))
    weights = load_file(broken / "model.safetensors")
    weights.pop("language_projection.weight")
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(HRVError, match="broken lacks 1 tensors of BLIP-2, among them language_projection.weight"):
        Captioner(broken).captions(images[:1])


@pytest.mark.parametrize("missing", ["model.safetensors", "tokenizer.json", "processor_config.json"])
def test_a_folder_without_one_of_its_files_is_refused_with_the_fix(folder, images, tmp_path, missing):
    broken = Path(shutil.copytree(folder, tmp_path / "broken"))
    (broken / missing).unlink()
    with pytest.raises(HRVError, match=r"broken cannot be loaded as BLIP-2: .*Fetch all files of Salesforce"):
        Captioner(broken).captions(images[:1])


def test_a_download_without_a_network_says_what_it_would_fetch(images, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(HRVError, match="blip2-opt-2.7b cannot be loaded.*download of 15 GB needs a network"):
        Captioner(BLIP2.download).captions(images[:1])


def test_without_transformers_the_extra_is_named(folder, images, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    monkeypatch.setattr(pretrained, "_kept", {})
    with pytest.raises(HRVError, match='Captioning needs the Python package transformers.*"eval" extra'):
        Captioner(folder).captions(images[:1])


def test_an_empty_prompt_is_refused(folder, images):
    with pytest.raises(HRVError, match="no prompt"):
        CaptionScorer(Captioner(folder), Letters()).score(images, " ")


def test_half_precision_captions_the_same_images(folder, images):
    whole, halved = (Captioner(folder, half=half).captions(images) for half in (False, True))
    assert len(halved) == len(whole) and pretrained._kept["blip-2"][1].language_model.dtype == torch.float16
    same = sum(one == other for one, other in zip(whole, halved, strict=True))
    assert same > len(whole) / 2, "random weights may part ways at a near tie, but not mostly"


def test_the_hubs_own_layout_with_the_preprocessor_in_a_file_of_its_own_gives_the_same_captions(
    folder, images, tmp_path
):
    old = Path(shutil.copytree(folder, tmp_path / "old"))
    whole = json.loads((old / "processor_config.json").read_text())
    preprocessor = whole.pop("image_processor")
    assert preprocessor["image_processor_type"].startswith("BlipImageProcessor") and whole["num_query_tokens"] == 4
    (old / "preprocessor_config.json").write_text(json.dumps(preprocessor))
    (old / "processor_config.json").write_text(json.dumps(whole))
    assert Captioner(old).captions(images) == Captioner(folder).captions(images)


def test_weights_in_several_files_give_the_same_captions(folder, images, tmp_path):
    from transformers import Blip2ForConditionalGeneration

    parts = Path(shutil.copytree(folder, tmp_path / "parts"))
    (parts / "model.safetensors").unlink()
    Blip2ForConditionalGeneration.from_pretrained(folder).save_pretrained(parts, max_shard_size="60KB")
    assert len(list(parts.glob("model-*.safetensors"))) > 1
    assert Captioner(parts).captions(images) == Captioner(folder).captions(images)
