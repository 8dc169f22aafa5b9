"""Downloads: a fixed commit, tensors only, known hashes, a cancel that ends them; anything else by an explicit wish."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import pickle
import re
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from comfyui_hrv.tests import tiny_eval
from hrv_engine.errors import HRVError
from hrv_engine.experiments import readers_from
from hrv_engine.scoring import clip_scorer, pretrained
from hrv_engine.scoring.background import BackgroundSimilarity
from hrv_engine.scoring.clip_scorer import ARCHITECTURE, DOWNLOADED, CLIPScorer
from hrv_engine.scoring.hub import Download, download_from
from hrv_engine.scoring.pretrained import BLIP2, CLIPSEG, DETECTOR, DINOV2, SAM2, loaded

KNOWN = (*(kind.download for kind in (BLIP2, DINOV2, CLIPSEG, DETECTOR, SAM2)), clip_scorer.DOWNLOAD)
COMMIT = "0123456789abcdef0123456789abcdef01234567"
HUB = """
import fnmatch, json, os, pathlib, shutil, time
class constants:
    HF_HUB_OFFLINE = False
def snapshot_download(name, revision, allow_patterns):
    here = pathlib.Path({here!r})
    with open(here / "asked", "a") as asked:
        asked.write(json.dumps([name, revision, allow_patterns, os.getpid()]) + "\\n")
    {first}
    for file in (here / "there").iterdir():
        if any(fnmatch.fnmatch(file.name, pattern) for pattern in allow_patterns):
            shutil.copy(file, here / "here")
    return str(here / "here")
"""


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A hub on disk that has a tiny DINOv2, in the place of huggingface_hub in the process that downloads."""
    tiny_eval.save_dinov2(tmp_path / "there")
    (tmp_path / "there" / "pytorch_model.bin").write_bytes(b"a pickle")
    (tmp_path / "there" / "modeling_dinov2.py").write_text("raise SystemExit")
    (tmp_path / "here").mkdir()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "packages"))
    monkeypatch.setattr(pretrained, "_kept", {})
    serves(tmp_path)
    return tmp_path


def serves(hub: Path, first: str = "pass") -> None:
    """What the hub does first."""
    package = hub / "packages" / "huggingface_hub"
    package.mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").write_text(HUB.format(here=str(hub), first=first))


def asked(hub: Path) -> list:
    return [json.loads(line) for line in (hub / "asked").read_text().splitlines()]


def known(hub: Path, **changes) -> Download:
    """The tiny DINOv2 with its hash."""
    sha256 = hashlib.sha256((hub / "there" / "model.safetensors").read_bytes()).hexdigest()
    return replace(DINOV2.download, weights=(("model.safetensors", sha256),), **changes)


def images() -> torch.Tensor:
    return torch.rand(1, 40, 40, 3, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("download", KNOWN, ids=str)
def test_every_download_on_a_menu_names_a_commit_and_the_hashes_of_its_safetensors(download):
    assert re.fullmatch("[0-9a-f]{40}", download.revision) and download.weights
    assert all(name.endswith(".safetensors") and re.fullmatch("[0-9a-f]{64}", sha) for name, sha in download.weights)


def test_a_download_fetches_descriptions_and_safetensors_at_its_commit_and_is_the_model(hub):
    download = known(hub)
    measure = BackgroundSimilarity(download)
    none = torch.zeros(1, 40, 40)
    again = BackgroundSimilarity(hub / "there").compare(images(), images() ** 2, none)
    assert measure.compare(images(), images() ** 2, none) == pytest.approx(again, abs=1e-6)
    ((name, revision, patterns, _),) = asked(hub)
    assert (name, revision) == ("facebook/dinov2-base", download.revision)
    assert patterns == ["*.json", "*.txt", "model.safetensors"]
    assert {file.suffix for file in (hub / "here").iterdir()} <= {".json", ".txt", ".safetensors"}


def test_another_weight_file_than_the_known_one_is_refused_with_both_hashes(hub, monkeypatch):
    download = known(hub)
    tiny_eval.save_dinov2(hub / "there", seed=5)
    other = hashlib.sha256((hub / "there" / "model.safetensors").read_bytes()).hexdigest()
    monkeypatch.setattr("transformers.Dinov2Model.from_pretrained", lambda *_, **__: pytest.fail("it was loaded"))
    with pytest.raises(HRVError, match="not the file that this pack knows") as refusal:
        loaded(DINOV2, download)
    assert other in str(refusal.value) and download.weights[0][1] in str(refusal.value)


def test_a_repository_without_safetensors_is_not_loaded(hub):
    download = known(hub)
    (hub / "there" / "model.safetensors").unlink()
    with pytest.raises(HRVError, match="cannot be loaded as DINOv2: model.safetensors did not come"):
        loaded(DINOV2, download)
    with pytest.raises(HRVError, match="owner/name cannot be loaded as DINOv2.*safetensors"):
        loaded(DINOV2, Download("owner/name", COMMIT))


class Cancelled(Exception):
    pass


def test_a_cancel_ends_the_download_and_its_process(hub):
    serves(hub, "time.sleep(600)")

    def cancel() -> None:
        if (hub / "asked").exists():
            raise Cancelled

    with pytest.raises(Cancelled):
        loaded(DINOV2, known(hub, cancelled=cancel))
    with pytest.raises(ProcessLookupError):
        os.kill(asked(hub)[0][3], 0)


def test_a_download_that_does_not_end_is_ended(hub, monkeypatch):
    serves(hub, "time.sleep(600)")
    monkeypatch.setattr("hrv_engine.scoring.hub.SECONDS", 0.5)
    start = time.monotonic()
    with pytest.raises(HRVError, match="it took more than .* hours"):
        loaded(DINOV2, known(hub))
    assert time.monotonic() - start < 5


def test_what_goes_wrong_is_told_in_the_hub_s_last_line(hub):
    serves(hub, "raise OSError('no such repository.')")
    with pytest.raises(
        HRVError, match="facebook/dinov2-base cannot be loaded as DINOv2: OSError: no such repository. A"
    ):
        loaded(DINOV2, known(hub))


def test_one_model_is_kept_for_a_repository_at_a_commit(hub):
    first = loaded(DINOV2, known(hub))[0]
    assert loaded(DINOV2, known(hub, cancelled=lambda: None))[0] is first
    assert loaded(DINOV2, known(hub, revision=COMMIT))[0] is not first


@pytest.mark.parametrize(
    ("text", "revision"),
    [
        ("facebook/dinov2-base", DINOV2.download.revision),
        (f"facebook/dinov2-base@{DINOV2.download.revision}", DINOV2.download.revision),
        (f"facebook/dinov2-base@{COMMIT}", COMMIT),
        (f" someone/else@{COMMIT} ", COMMIT),
        ("someone/else@newest", "main"),
        ("facebook/dinov2-base@newest", "main"),
    ],
)
def test_a_repository_is_taken_at_a_commit_or_by_an_explicit_wish(text, revision):
    download = download_from(text, DINOV2.download)
    assert (download.name, download.revision) == (text.strip().partition("@")[0], revision)
    assert bool(download.weights) == (revision == DINOV2.download.revision)


@pytest.mark.parametrize(
    "text",
    [
        "someone/else", "someone/else@main", "someone/else@v1", "someone/else@0123456", "else", "", "@newest",
        f"../..@{COMMIT}", f"a/b/c@{COMMIT}", f"https://hub/a/b@{COMMIT}", f"a/..@{COMMIT}", "a/b@newest@newest",
        f"a/b@{COMMIT.upper()}", f"a/\ud83c@{COMMIT}",
    ],
)  # fmt: skip
def test_any_other_text_is_refused_with_the_three_forms(text):
    with pytest.raises(HRVError, match="facebook/dinov2-base, whose hashes are known.*@COMMIT.*@newest"):
        download_from(text, DINOV2.download)


@pytest.mark.parametrize("option", ["--captions", "--dino", "--segmenter", "--sam"])
def test_the_command_line_takes_no_repository_without_a_commit(option):
    parser = argparse.ArgumentParser()
    readers_from.add_options(parser)
    both = ["--segmenter", "x/y"] if option == "--sam" else ["--dino", DINOV2.download.name]
    options = parser.parse_args([*both, option, "someone/else"])
    with pytest.raises(HRVError, match="neither a file or folder here nor something to fetch"):
        if option == "--captions":
            readers_from._place(options.captions, BLIP2)
        elif option == "--dino":
            readers_from._place(options.dino, DINOV2)
        else:
            readers_from._segmenter(options)


def test_open_clip_fetches_the_known_weights_and_others_by_an_explicit_wish(monkeypatch):
    scorer = CLIPScorer(DOWNLOADED)
    calls = []

    def create(architecture, pretrained, **_):
        calls.append((architecture, pretrained))
        raise RuntimeError("not loaded here")

    monkeypatch.setattr(Download, "folder", lambda self, purpose: Path("/cache") / self.name / self.revision)
    monkeypatch.setattr("open_clip.create_model_from_pretrained", create)
    for made in (scorer, CLIPScorer("openai@newest", "ViT-B-32")):
        with pytest.raises(HRVError, match="not loaded here"):
            made.embed(["a"])
    pinned = "/cache/laion/CLIP-ViT-H-14-laion2B-s32B-b79K/1c2b8495b28150b8a4922ee1c8edee224c284c0c"
    assert calls == [(ARCHITECTURE, f"{pinned}/open_clip_model.safetensors"), ("ViT-B-32", "openai")]
    for weights, architecture in (("openai", "ViT-B-32"), (DOWNLOADED, "ViT-B-32"), ("someone/else", ARCHITECTURE)):
        with pytest.raises(HRVError, match="neither a file here nor weights whose hash is known.*@newest"):
            CLIPScorer(weights, architecture)


class Evil:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return Path.touch, (self.marker,)


@pytest.mark.parametrize("protocol", ["torch", "pickle"])
def test_a_pickle_in_a_folder_of_one_s_own_runs_nothing(tmp_path, protocol):
    folder = tiny_eval.save_dinov2(tmp_path / "dino")
    (folder / "model.safetensors").unlink()
    marker = tmp_path / "was run"
    evil = {"weight": Evil(marker)}
    if protocol == "torch":
        torch.save(evil, folder / "pytorch_model.bin")
    else:
        (folder / "pytorch_model.bin").write_bytes(pickle.dumps(evil))
    shutil.copy(folder / "pytorch_model.bin", tmp_path / "clip.pt")
    with pytest.raises(HRVError, match="cannot be loaded as DINOv2"):
        loaded(DINOV2, folder)
    with pytest.raises(HRVError, match="clip.pt is not a readable checkpoint"):
        CLIPScorer(tmp_path / "clip.pt")
    assert not marker.exists()


def test_code_beside_a_model_of_one_s_own_is_not_run(tmp_path):
    folder = tiny_eval.save_dinov2(tmp_path / "dino")
    marker = tmp_path / "was run"
    for name in ("config.json", "preprocessor_config.json"):
        described = json.loads((folder / name).read_text())
        described["auto_map"] = {"AutoModel": "evil.Evil", "AutoImageProcessor": "evil.Evil"}
        (folder / name).write_text(json.dumps(described))
    (folder / "evil.py").write_text(f"import pathlib\npathlib.Path({str(marker)!r}).touch()\nclass Evil: pass\n")
    try:
        loaded(DINOV2, folder)
    except HRVError as error:
        assert "cannot be loaded" in str(error)
    assert not marker.exists()
