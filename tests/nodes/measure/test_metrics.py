"""The metric nodes in a real ComfyUI: tiny models of the real classes in models/hrv_eval, and the pocket model."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import folder_paths
import numpy as np
import open_clip
import pytest
import torch
from safetensors.torch import save_file

from comfyui_hrv.hrv_engine.errors import HRVError
from comfyui_hrv.hrv_engine.scoring.captions import Captioner
from comfyui_hrv.hrv_engine.scoring.clip_scorer import CLIPScorer, imagenet_templates
from comfyui_hrv.hrv_engine.scoring.grounded_segments import GroundedSegmenter
from comfyui_hrv.hrv_engine.scoring.intervals import paired_difference
from comfyui_hrv.hrv_engine.scoring.pretrained import BLIP2, CLIPSEG, DINOV2
from comfyui_hrv.hrv_engine.scoring.segments import WordSegmenter
from comfyui_hrv.nodes.host.eval_models import FOLDER, model_menu, model_source
from comfyui_hrv.nodes.host.folders import register_folders
from comfyui_hrv.nodes.host.segmenters import segmenter, segmenter_menu
from comfyui_hrv.nodes.measure.background_similarity import HRVBackgroundSimilarity
from comfyui_hrv.nodes.measure.caption_scorer import HRVCaptionScorer
from comfyui_hrv.nodes.measure.clip_scorer import HRVCLIPScorer
from comfyui_hrv.nodes.measure.compare_scores import HRVCompareScores
from comfyui_hrv.nodes.measure.min_object_scorer import HRVMinObjectScorer
from comfyui_hrv.nodes.measure.pocket_scorer import HRVPocketScorer
from comfyui_hrv.nodes.measure.score_images import HRVScoreImages
from comfyui_hrv.tests import tiny_eval

pytestmark = pytest.mark.usefixtures("inference_mode")
TINY = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16, "head_width": 32},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}
UNUSED = "no segmenter is asked for"


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    """models/hrv_eval with a tiny BLIP-2, DINOv2 and CLIPSeg, and a CLIP that OpenCLIP knows as hrv-metrics-tiny."""
    root = tmp_path_factory.mktemp("hrv_eval")
    tiny_eval.save_blip2(root / "blip2")
    tiny_eval.save_dinov2(root / "facebook" / "dino")
    tiny_eval.save_clipseg(root / "clipseg")
    (root / "hrv-metrics-tiny.json").write_text(json.dumps(TINY))
    open_clip.add_model_config(root / "hrv-metrics-tiny.json")
    torch.manual_seed(0)
    save_file(open_clip.create_model("hrv-metrics-tiny").state_dict(), root / "clip.safetensors")
    return root


@pytest.fixture(autouse=True)
def folders(models, monkeypatch):
    """ComfyUI looks for both kinds of weights there."""
    monkeypatch.setitem(folder_paths.folder_names_and_paths, FOLDER, ([str(models)], {"folder"}))
    monkeypatch.setitem(folder_paths.folder_names_and_paths, "clip_vision", ([str(models)], {".safetensors"}))
    folder_paths.filename_list_cache.pop("clip_vision", None)
    yield
    folder_paths.filename_list_cache.pop("clip_vision", None)


def rows_of(table: str) -> list[dict]:
    return [json.loads(line) for line in table.splitlines()]


def pictures(count: int, seed: int = 0) -> torch.Tensor:
    draw = torch.Generator().manual_seed(seed)
    return torch.rand(count, 48, 48, 3, generator=draw) * torch.rand(count, 1, 1, 3, generator=draw)


def clip(wording: str = "as typed") -> CLIPScorer:
    return HRVCLIPScorer.execute("clip.safetensors", "hrv-metrics-tiny", wording).args[0]


def test_a_menu_lists_the_folders_of_its_kind_and_ends_with_the_download():
    assert model_menu(BLIP2) == ["blip2", "Salesforce/blip2-opt-2.7b (download)"]
    assert model_menu(DINOV2) == ["facebook/dino", "facebook/dinov2-base (download)"]
    assert model_source(DINOV2, "facebook/dinov2-base (download)") == DINOV2.download
    with pytest.raises(HRVError, match='no CLIPSeg "clipsegg".*Nearest: "clipseg"'):
        model_source(CLIPSEG, "clipsegg")


def test_the_menu_of_segmenters_pairs_every_detector_with_every_outliner(tmp_path, monkeypatch):
    downloads = [
        "CIDAS/clipseg-rd64-refined (download)",
        "IDEA-Research/grounding-dino-base (download) + facebook/sam2.1-hiera-large (download)",
    ]
    assert segmenter_menu() == ["clipseg", *downloads]
    tiny_eval.save_grounding_dino(tmp_path / "dino")
    tiny_eval.save_sam2(tmp_path / "sam")
    monkeypatch.setitem(folder_paths.folder_names_and_paths, FOLDER, ([str(tmp_path)], {"folder"}))
    assert segmenter_menu() == ["dino + sam", *downloads]
    found = segmenter("dino + sam", 0.5)
    assert isinstance(found, GroundedSegmenter) and found.threshold == 0.5
    images = pictures(2)
    expected = GroundedSegmenter(tmp_path / "dino", tmp_path / "sam", threshold=0.5).masks(images, "car")
    assert torch.equal(found.masks(images, "car"), expected) and 0 < expected.mean() < 1
    with pytest.raises(HRVError, match='no SAM 2 "san" in models/hrv_eval. Nearest: "sam"'):
        segmenter("dino + san", 0.5)
    with pytest.raises(HRVError, match="There is no CLIPSeg in models/hrv_eval"):
        segmenter("put CLIPSeg into models/hrv_eval", 0.5)


def test_an_empty_folder_asks_for_weights_and_never_downloads_by_itself(tmp_path, monkeypatch):
    monkeypatch.setitem(folder_paths.folder_names_and_paths, FOLDER, ([str(tmp_path)], {"folder"}))
    first, *_ = model_menu(BLIP2)
    assert first == "put BLIP-2 into models/hrv_eval"
    with pytest.raises(HRVError, match="no BLIP-2 in models/hrv_eval.*15 GB.*reload the page, or choose"):
        HRVCaptionScorer.execute(clip(), first)


def test_the_folder_is_registered_beside_those_of_extra_model_paths(monkeypatch):
    monkeypatch.setitem(folder_paths.folder_names_and_paths, FOLDER, (["/elsewhere"], {"folder"}))
    register_folders()
    assert folder_paths.get_folder_paths(FOLDER) == ["/elsewhere", str(Path(folder_paths.models_dir) / FOLDER)]


def test_captions_stand_in_the_table_beside_the_cosine_of_clips_texts(models):
    images = pictures(3)
    (scorer,) = HRVCaptionScorer.execute(clip(), "blip2").args
    table, mean = HRVScoreImages.execute(images, scorer, "a red cat").args
    rows = rows_of(table)
    captions = Captioner(models / "blip2").captions(images)
    assert [row["caption"] for row in rows] == captions and {row["scorer"] for row in rows} == {"caption similarity"}
    texts = clip().embed([*captions, "a red cat"])
    assert [row["score"] for row in rows] == pytest.approx((texts[:3] @ texts[3]).tolist(), abs=1e-5)
    assert mean == pytest.approx(np.mean([row["score"] for row in rows]))


def test_captions_need_a_scorer_with_a_text_encoder():
    with pytest.raises(HRVError, match='"probability of the word" and has no text encoder.*HRV CLIP Scorer'):
        HRVCaptionScorer.execute(HRVPocketScorer.execute().args[0], "blip2")


def test_the_minimum_is_taken_over_the_parts_of_the_prompt_with_any_scorer():
    images = pictures(4)
    (scorer,) = HRVMinObjectScorer.execute(clip()).args
    found = [row["score"] for row in rows_of(HRVScoreImages.execute(images, scorer, "a cat and a dog").args[0])]
    apart = [clip().score(images, part) for part in ("a cat", "a dog")]
    assert found == pytest.approx(np.min(apart, axis=0).tolist())
    with pytest.raises(HRVError, match='"a cat" is not split'):
        HRVScoreImages.execute(images, scorer, "a cat")


def test_the_wording_of_80_sentences_averages_over_them():
    assert clip().templates == ("{}",) and clip("80 sentences").templates == imagenet_templates()
    images = pictures(2)
    one, many = (clip(wording).score(images, "a cat") for wording in ("as typed", "80 sentences"))
    assert np.abs(one - many).max() > 1e-5


def test_a_mask_hides_the_object_and_pairs_in_turn_are_as_good_as_two_batches():
    source = pictures(3)
    edited, mask = source.clone(), torch.zeros(1, 48, 48)
    edited[:, 10:30, 10:30], mask[:, 8:32, 8:32] = 0.5, 1
    edited[2, 40:] = 0
    table, mean, after, background = HRVBackgroundSimilarity.execute(
        source, "facebook/dino", "", UNUSED, 0.4, edited, mask
    ).args
    rows = rows_of(table)
    assert [row["score"] for row in rows[:2]] == pytest.approx([1, 1], abs=1e-6) and rows[2]["score"] < 1 - 1e-6
    assert {row["scorer"] for row in rows} == {"BG-DINO"} and rows[0]["object"] == pytest.approx(0.25)
    assert mean == pytest.approx(np.mean([row["score"] for row in rows])) and torch.equal(after, edited)
    assert background.shape == (6, 48, 48, 3) and torch.equal(background[0], background[1])
    assert (background[:, 8:32, 8:32] == 0).all() and torch.equal(background[4, 40:], source[2, 40:])
    mixed = torch.stack([source, edited], 1).flatten(0, 1)
    again = HRVBackgroundSimilarity.execute(mixed, "facebook/dino", "", UNUSED, 0.4, mask=mask).args
    assert again[0] == table and torch.equal(again[2], edited)


def test_words_are_found_in_source_and_edited_image_apart(models):
    source, edited = pictures(2), pictures(2, seed=1)
    table, _, _, background = HRVBackgroundSimilarity.execute(
        source, "facebook/dino", "car", "clipseg", 0.5, edited
    ).args
    finder = WordSegmenter(models / "clipseg", threshold=0.5)
    for images, kept in ((source, background[::2]), (edited, background[1::2])):
        hidden = finder.masks(images, "car") > 0.5
        assert 0 < hidden.float().mean() < 1 and torch.equal(kept, images * ~hidden[..., None])
    shares = finder.masks(source, "car").mean((1, 2)).tolist()
    assert [row["object"] for row in rows_of(table)] == pytest.approx(shares, abs=1e-4)
    assert {row["word"] for row in rows_of(table)} == {"car"}


@pytest.mark.parametrize(
    "words, mask, quoted", [(" ", None, "neither mask nor words"), ("car", 1, "both mask and words")]
)
def test_the_object_is_named_once(words, mask, quoted):
    hidden = None if mask is None else torch.zeros(1, 48, 48)
    with pytest.raises(HRVError, match=quoted):
        HRVBackgroundSimilarity.execute(pictures(2), "facebook/dino", words, "clipseg", 0.5, pictures(2), hidden)


def test_an_odd_batch_is_no_batch_of_pairs():
    with pytest.raises(HRVError, match="3 images are no pairs of source and edited image in turn"):
        HRVBackgroundSimilarity.execute(pictures(3), "facebook/dino", "car", "clipseg", 0.5)


def test_two_tables_are_compared_pair_by_pair_with_lists_joined():
    draw = np.random.default_rng(0)
    a, b = draw.random((2, 6)).tolist()
    lines = [[json.dumps({"score": score, "word": "red", "scorer": "s"}) for score in side] for side in (a, b)]
    halves = [["\n".join(side[:3]), "\n".join(side[3:])] for side in lines]
    image, text, difference = HRVCompareScores.execute(*halves, ["plain"], ["adjusted"], [""], [0.95], [3]).args
    expected = paired_difference(a, b, seed=3)
    assert difference == pytest.approx(expected.mean) and str(expected) in text and "6 pairs" in text
    assert image.shape[0] == 1 and image.shape[-1] == 3 and image.std() > 0.05


def test_the_figure_needs_matplotlib_and_says_so(monkeypatch):
    table = ['{"score": 0.1}\n{"score": 0.2}']
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(HRVError, match='needs the Python package matplotlib.*"figures" extra'):
        HRVCompareScores.execute(table, table, ["a"], ["b"], [""], [0.95], [0])


IMPORT = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("loader", sys.argv[1])
loader = importlib.util.module_from_spec(spec)
spec.loader.exec_module(loader)
loader.load_pack()
loader.use_comfyui("--cpu")
from comfyui_hrv.nodes import node_classes
from comfyui_hrv.nodes.host.folders import register_folders
register_folders()
for node in node_classes():
    node.define_schema()
heavy = ("transformers.models.blip_2.m", "transformers.models.dinov2.m", "transformers.models.clipseg.m", "open_clip.m")
print([name for name in sys.modules if name.startswith(heavy)])
"""


def test_the_pack_and_its_menus_are_there_before_any_metric_model_is_imported(repository):
    """In a process of its own, since this one has imported them."""
    command = [sys.executable, "-c", IMPORT, str(repository / "tools" / "pack.py")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip().splitlines()[-1] == "[]"
    assert [name for name in sys.modules if name.startswith("transformers.models.blip_2.modeling")]
