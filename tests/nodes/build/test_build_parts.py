"""A build in parts: HRV Merge of them is bit for bit the file of one build, however it was parted."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from pathlib import Path

import comfy.model_management
import numpy as np
import pytest
import torch

from comfyui_hrv.hrv_engine.benchmarks.prompts import PromptSet
from comfyui_hrv.hrv_engine.errors import HRVError
from comfyui_hrv.hrv_engine.relevance import files
from comfyui_hrv.hrv_engine.relevance.concepts import Concept, ConceptSet
from comfyui_hrv.nodes.files.hrv_files import HRVMerge
from comfyui_hrv.nodes.host import build as host_build
from comfyui_hrv.nodes.host import kept as host_kept
from comfyui_hrv.nodes.host.build import BuildSettings, build

from ..tiny import Trio, tiny_sdxl, tiny_trio

pytestmark = pytest.mark.usefixtures("inference_mode")
CONCEPTS = ConceptSet(
    "three",
    (Concept("Color", ("red", "rose-colored")), Concept("Animals", ("dog", "cat")), Concept("Size", ("tiny", "big"))),
)
LONG = "a tiny man, " * 20  # of two chunks: it cannot share a batch with its neighbours
PROMPTS = PromptSet("seven", ("a dog", "a red cat", "two big boats", "a house", LONG, "a tree", "a red boat"))
SETTINGS = BuildSettings(64, 64, 2, 5.0, "euler", "normal", 7, 3, 2, "per layer", True, True, True)
PARTINGS = {"halves": [(0, 4), (4, 0)], "unequal": [(0, 1), (1, 4), (5, 0)], "one each": [(i, 1) for i in range(7)]}


@pytest.fixture(scope="module", params=["sd15", "sdxl"])
def trio(request) -> Trio:
    with torch.inference_mode():
        return tiny_sdxl() if request.param == "sdxl" else tiny_trio()


@pytest.fixture(scope="module")
def whole(trio, tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("whole") / "whole.safetensors"
    with torch.inference_mode():
        run(trio, path)
    return path.read_bytes()


def run(trio: Trio, path: Path, start: int = 0, count: int = 0, resume: bool = True, **changes):
    settings = replace(SETTINGS, **changes)
    return build(trio.model, trio.clip, CONCEPTS, PROMPTS, settings, None, path, resume, start, count)


def merged(paths: list[Path]) -> bytes:
    """The file of HRV Merge over these files, one after the other."""
    together = reduce(lambda a, b: HRVMerge.execute(a, b).args[0], [files.load(path) for path in paths])
    files.save(paths[0].with_name("merged.safetensors"), together)
    return paths[0].with_name("merged.safetensors").read_bytes()


def counting_draws(monkeypatch, stop_at: int | None = None) -> list[int]:
    """First image numbers of the batches drawn from now on; the batch number `stop_at` is interrupted."""
    drawn, draw = [], host_build._draw

    def counted(*args):
        if len(drawn) == stop_at:
            raise comfy.model_management.InterruptProcessingException
        drawn.append(args[4])
        return draw(*args)

    monkeypatch.setattr(host_build, "_draw", counted)
    return drawn


@pytest.mark.parametrize("parting", PARTINGS)
def test_merged_parts_are_the_very_file_of_one_build(trio, whole, tmp_path, parting):
    """Votes, votes per step, logit scale and the list of images; with parts that cut through batches too."""
    paths = []
    for number, (start, count) in enumerate(PARTINGS[parting]):
        paths.append(tmp_path / f"{number}.safetensors")
        run(trio, paths[-1], start, count)
    assert merged(paths) == whole
    assert merged([*paths[1::2], *paths[0::2]]) == whole


def test_a_part_has_other_votes_than_the_images_of_another_part(trio, tmp_path):
    one, two = (run(trio, tmp_path / f"{start}.safetensors", start, 2) for start in (0, 2))
    assert not np.array_equal(one.counts, two.counts)
    assert [part.start for part in one.parts + two.parts] == [0, 2]


def test_a_cancelled_part_goes_on_inside_the_part_to_the_same_bytes(trio, tmp_path, monkeypatch):
    cut, uncut = tmp_path / "cut.safetensors", tmp_path / "uncut.safetensors"
    run(trio, uncut, 2, 4, batch_size=1)
    with monkeypatch.context() as patched:
        counting_draws(patched, stop_at=2)
        with pytest.raises(comfy.model_management.InterruptProcessingException):
            run(trio, cut, 2, 4, batch_size=1)
    assert [(part.start, part.images) for part in files.load(cut).votes.parts] == [(2, 2)]
    drawn = counting_draws(monkeypatch)
    run(trio, cut, 2, 4, batch_size=1)
    assert drawn == [4, 5]
    assert cut.read_bytes() == uncut.read_bytes()


def test_a_whole_build_over_merged_parts_draws_only_what_no_part_counted(trio, whole, tmp_path, monkeypatch):
    paths = [tmp_path / f"{start}.safetensors" for start in (0, 3, 6)]
    for path, start in zip(paths, (0, 3, 6), strict=True):
        run(trio, path, start, 1 if start else 3)
    path = tmp_path / "gaps.safetensors"
    path.write_bytes(merged(paths))
    drawn = counting_draws(monkeypatch)
    run(trio, path)
    assert drawn == [4, 5], "image 4 is long and alone; image 5 is drawn with 6, which was counted before"
    assert path.read_bytes() == whole


def test_parts_that_overlap_are_refused_and_the_images_named(trio, tmp_path):
    paths = [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]
    run(trio, paths[0], 0, 3)
    run(trio, paths[1], 2, 2)
    with pytest.raises(HRVError, match='same images .prompts "seven" 2 to 3, seed 7.*another part'):
        merged(paths)


def test_a_part_beyond_the_prompts_is_refused_before_anything_is_drawn(trio, tmp_path, monkeypatch):
    drawn = counting_draws(monkeypatch)
    with pytest.raises(HRVError, match="from image 7 .*0 to 6"):
        run(trio, tmp_path / "beyond.safetensors", 7, 2)
    assert drawn == [] and not list(tmp_path.iterdir())


def test_two_builds_into_one_file_at_once_make_the_very_file_of_one_build(trio, whole, tmp_path, monkeypatch):
    """The second builds images 4 to 6 while the first draws its second batch."""
    path, draw, reports = tmp_path / "shared.safetensors", host_build._draw, []

    def meanwhile(*args):
        if args[4] == 3:
            monkeypatch.setattr(host_build, "_draw", draw)
            reports.append(run(trio, path, 4))
        return draw(*args)

    monkeypatch.setattr(host_build, "_draw", meanwhile)
    votes = run(trio, path)
    assert reports[0].images == 3 and votes.images == 7
    assert path.read_bytes() == whole


def test_a_build_leaves_out_what_another_has_saved_meanwhile(trio, tmp_path, monkeypatch):
    path = tmp_path / "shared.safetensors"
    monkeypatch.setattr(host_kept, "SAVE_EVERY", 0)
    drawn, draw = [], host_build._draw

    def meanwhile(*args):
        monkeypatch.setattr(host_build, "_draw", draw)
        run(trio, path, 5)
        monkeypatch.setattr(host_build, "_draw", counted)
        return counted(*args)

    def counted(*args):
        drawn.append(args[4])
        return draw(*args)

    monkeypatch.setattr(host_build, "_draw", meanwhile)
    run(trio, path, batch_size=1)
    assert drawn == [0, 1, 2, 3, 4]
    (part,) = files.load(path).votes.parts
    assert (part.start, part.images) == (0, 7)
