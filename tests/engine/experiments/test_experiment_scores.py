"""Scoring finished images without a server: CLIP, minimum object, captions and BG-DINO of tiny random models."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from comfyui_hrv.tests import tiny_eval
from hrv_engine.__main__ import main
from hrv_engine.experiments import plan
from hrv_engine.experiments.cases import cases
from hrv_engine.experiments.plan import Experiment
from hrv_engine.experiments.store import Store
from hrv_engine.scoring.clip_scorer import CLIPScorer

TINY = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16, "head_width": 32},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> list[str]:
    """Options that name a tiny model of each kind."""
    folder = tmp_path_factory.mktemp("weights")
    (folder / "hrv-tiny-experiments.json").write_text(json.dumps(TINY))
    open_clip.add_model_config(folder / "hrv-tiny-experiments.json")
    torch.manual_seed(0)
    save_file(open_clip.create_model("hrv-tiny-experiments").state_dict(), folder / "clip.safetensors")
    kinds = {"captions": tiny_eval.save_blip2, "dino": tiny_eval.save_dinov2, "segmenter": tiny_eval.save_clipseg}
    options = [part for name, make in kinds.items() for part in (f"--{name}", str(make(folder / name)))]
    return ["--clip", str(folder / "clip.safetensors"), "--clip-architecture", "hrv-tiny-experiments", *options]


def drawn(folder: Path, name: str, count: int) -> tuple[Experiment, list[plan.Job]]:
    """The first jobs of an experiment as if a server had drawn noise for them."""
    experiment = Experiment.load(name)
    jobs = list(plan.jobs(experiment, cases(experiment)))[:count]
    random = np.random.default_rng(0)
    for job in jobs:
        pictures = {}
        for key in experiment.pictures:
            Image.fromarray(random.integers(0, 255, (48, 48, 3), np.uint8)).save(folder / "one.png")
            pictures[key] = [(folder / "one.png").read_bytes()]
        Store(folder / name).save(job.name, "x", pictures, {})
    return experiment, jobs


def table(folder: Path, name: str, file: str) -> list[dict[str, str]]:
    with open(folder / name / f"{file}.csv", encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def tabulated(folder: Path, name: str, *options: str) -> int:
    return main(["experiment", name, "--tables", "--to", str(folder), *options])


def test_editing_is_scored_by_clip_and_bg_dino_with_intervals_between_methods(tmp_path, weights):
    experiment, jobs = drawn(tmp_path, "editing", 3)
    assert tabulated(tmp_path, "editing", *weights) == 0
    rows = table(tmp_path, "editing", "pictures")
    assert len(rows) == 3 * len(experiment.pictures)
    store, target = Store(tmp_path / "editing"), jobs[0].case.asked["target"]
    again = CLIPScorer(Path(weights[1]), weights[3]).score(store.pictures(jobs[0].name, "P2P"), target)
    first = next(row for row in rows if row["method"] == "P2P")
    assert float(first["clip"]) == pytest.approx(float(again[0]), rel=1e-4)
    assert {row["background_dino"] for row in rows if row["method"] == "P2P"} <= {"1", ""}, "the source is P2P's own"
    others = [float(row["background_dino"]) for row in rows if row["method"] == "PnP" and row["background_dino"]]
    assert others and all(value < 0.9999 for value in others)
    lines = table(tmp_path, "editing", "differences")
    one = next(line for line in lines if (line["metric"], line["over"]) == ("clip", "PnP"))
    assert one["pairs"] == "3" and float(one["low"]) <= float(one["mean"]) <= float(one["high"])
    compared = table(tmp_path, "editing", "comparison")
    assert [line["measured"] for line in compared] == ["", ""], "Image Style and Weather Conditions were not drawn"


def test_the_background_may_be_found_by_grounding_dino_and_sam_2_as_in_the_paper(tmp_path, weights):
    drawn(tmp_path, "editing", 2)
    models = (tiny_eval.save_grounding_dino(tmp_path / "detector"), tiny_eval.save_sam2(tmp_path / "sam"))
    dino = weights[weights.index("--dino") + 1]
    assert tabulated(tmp_path, "editing", "--dino", dino, "--segmenter", str(models[0]), "--sam", str(models[1])) == 0
    rows = [row for row in table(tmp_path, "editing", "pictures") if row["method"] == "PnP"]
    by_clipseg = Path(shutil.copytree(tmp_path / "editing", tmp_path / "again" / "editing")).parent
    assert tabulated(by_clipseg, "editing", *weights[weights.index("--captions") :]) == 0
    others = [row for row in table(by_clipseg, "editing", "pictures") if row["method"] == "PnP"]
    found, again = ([row["background_dino"] for row in part] for part in (rows, others))
    assert any(found) and found != again, "kept scores of other weights were taken"


def test_several_objects_are_scored_by_the_whole_prompt_the_worst_object_and_captions(tmp_path, weights):
    experiment, _ = drawn(tmp_path, "multi_concept", 2)
    assert tabulated(tmp_path, "multi_concept", *weights) == 0
    rows = table(tmp_path, "multi_concept", "summary")
    assert {row["method"] for row in rows} == set(experiment.pictures)
    for row in rows:
        assert row["full_prompt"] and row["minimum_object"] and row["caption"]
    compared = table(tmp_path, "multi_concept", "comparison")
    assert compared[0]["paper"] == "2.8 to 5.8" and compared[0]["measured"]


def test_scores_of_other_weights_are_not_mixed_up_and_without_weights_cells_stay_empty(tmp_path, weights):
    drawn(tmp_path, "multi_concept_plain", 2)
    assert tabulated(tmp_path, "multi_concept_plain") == 0
    assert "full_prompt" not in table(tmp_path, "multi_concept_plain", "summary")[0]
    assert tabulated(tmp_path, "multi_concept_plain", *weights[:4]) == 0
    first = table(tmp_path, "multi_concept_plain", "summary")[0]
    assert first["full_prompt"] and "caption" not in first


def test_weights_that_are_not_there_are_named_before_anything_is_drawn(tmp_path, capsys):
    assert tabulated(tmp_path, "editing", "--clip", str(tmp_path / "none.safetensors")) == 1
    assert "none.safetensors" in capsys.readouterr().err
    assert tabulated(tmp_path, "editing", "--dino", str(tmp_path)) == 1
    assert "holds no config.json" in capsys.readouterr().err
    assert tabulated(tmp_path, "editing") == 1
    assert "Nothing of editing is finished" in capsys.readouterr().err
