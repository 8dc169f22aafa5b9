"""One build in parts: how it is cut, how parts add up in a file, and what the command refuses."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from comfyui_hrv.tests.engine.examples import ballot, concept_set, random_counts
from hrv_engine.__main__ import main
from hrv_engine.benchmarks.prompts import PromptSet
from hrv_engine.errors import HRVError
from hrv_engine.relevance import files
from hrv_engine.relevance.parts import Part
from hrv_engine.scale.command import into_file
from hrv_engine.scale.tally import Tally, split

PROMPTS = PromptSet("ten", tuple(f"prompt {number}" for number in range(10)))


def payload(folder: Path, start: int, images: int, **changes) -> bytes:
    votes = ballot(random_counts(start), parts=(Part.of(PROMPTS, 7, start, images),), **changes)
    files.save(folder / "one.part", votes.relevance())
    return (folder / "one.part").read_bytes()


@pytest.mark.parametrize("total, parts, multiple", [(1000, 8, 4), (7, 3, 1), (10, 4, 4), (5, 9, 2), (3, 0, 16)])
def test_parts_cover_every_image_once_and_are_cut_between_batches(total, parts, multiple):
    runs = split(total, parts, multiple)
    assert [number for run in runs for number in run] == list(range(total))
    assert all(run.start % multiple == 0 for run in runs)
    assert len(runs) == max(1, min(parts, -(-total // multiple)))


def test_parts_are_of_nearly_equal_length():
    lengths = [len(run) for run in split(1000, 7, 2)]
    assert max(lengths) - min(lengths) <= 2


def test_images_that_are_counted_already_are_left_out_and_the_other_parts_stay_as_they_were():
    assert split(12, 3, 2, done={4, 5, 6, 7}) == [range(0, 4), range(8, 12)]
    assert split(12, 3, 2, done={1, 2, 9}) == [range(0, 1), range(3, 4), range(4, 8), range(8, 9), range(10, 12)]
    assert split(4, 2, 2, done=range(4)) == []


def test_parts_in_any_order_make_one_file_which_goes_on_later(tmp_path):
    path, told = tmp_path / "sum.safetensors", []
    Tally(path, PROMPTS, 7, told.append).add(payload(tmp_path, 6, 4))
    again = Tally(path, PROMPTS, 7, told.append)
    assert again.counted == {6, 7, 8, 9} and again.missing == 6
    again.add(payload(tmp_path, 0, 6))
    assert again.missing == 0 and told == [4, 6]
    (part,) = files.load(path).votes.parts
    assert part == Part.of(PROMPTS, 7, 0, 10)
    assert (files.load(path).votes.counts == random_counts(6) + random_counts(0)).all()


def test_a_file_counts_for_its_own_prompts_and_seed_only(tmp_path):
    Tally(tmp_path / "a.safetensors", PROMPTS, 7).add(payload(tmp_path, 0, 6))
    assert Tally(tmp_path / "a.safetensors", PROMPTS, 8).counted == set()
    assert Tally(tmp_path / "a.safetensors", PROMPTS.first(9), 7).counted == set()


@pytest.mark.parametrize("change", [{"concepts": concept_set("Color", "Shape", "Place")}, {"recipe": {"steps": 3}}])
def test_a_part_built_otherwise_is_refused_and_the_file_stays(tmp_path, change):
    path = tmp_path / "sum.safetensors"
    tally = Tally(path, PROMPTS, 7)
    tally.add(payload(tmp_path, 0, 4))
    before = path.read_bytes()
    with pytest.raises(HRVError, match="sum.safetensors cannot take in .*save under another name"):
        tally.add(payload(tmp_path, 4, 4, **change))
    assert path.read_bytes() == before


def test_a_part_that_another_run_added_meanwhile_is_refused(tmp_path):
    tally = Tally(tmp_path / "sum.safetensors", PROMPTS, 7)
    tally.add(payload(tmp_path, 0, 4))
    with pytest.raises(HRVError, match="same images"):
        tally.add(payload(tmp_path, 2, 4))


def test_stopping_keeps_the_finished_parts_and_says_how_to_go_on(tmp_path, capsys):
    options = argparse.Namespace(to=tmp_path, save_as="mine", parts=5)
    asked = []

    def one_part_then_stopped(tally, parts):
        asked.append(parts)
        tally.add(payload(tmp_path, parts[0].start, len(parts[0])))
        raise KeyboardInterrupt

    assert into_file(options, PROMPTS, 7, 2, 1, one_part_then_stopped) == 130
    assert "2 of 10 images are kept" in capsys.readouterr().err
    assert files.load(tmp_path / "mine.safetensors").votes.images == 2
    assert into_file(options, PROMPTS, 7, 2, 1, one_part_then_stopped) == 130
    assert asked[1] == asked[0][1:]


@pytest.mark.parametrize(
    "given, said",
    [
        ([], "Say where to build"),
        (["--ray", "local"], "--checkpoint"),
        (["--ray", "127.0.0.1:1", "--checkpoint", "pocket", "--to", "."], 'no Ray at "127.0.0.1:1"'),
        (["--ray", f"127.0.0.1:{10**30}", "--checkpoint", "pocket", "--to", "."], 'no Ray at "127.0.0.1:1000'),
        (["--ray", "somewhere", "--checkpoint", "pocket", "--to", "."], 'no Ray at "somewhere"'),
        (["--ray", "local", "--checkpoint", "pocket", "--workers", "0"], "--workers 0"),
        (["--ray", "local", "--checkpoint", "pocket", "--set", "stpes=3"], 'Nearest: "steps"'),
        (["--ray", "local", "--checkpoint", "pocket", "--set", "steps=many"], '"steps=many" is no int'),
        (["--ray", "local", "--checkpoint", "pocket", "--prompts", "qick"], '"qick" is neither a file nor'),
    ],
)
def test_what_cannot_be_meant_is_told_before_anything_starts(capsys, monkeypatch, given, said):
    monkeypatch.setenv("COMFYUI_PATH", "comfyui")
    assert main(["build", "--save-as", "mine", *given]) == 1
    assert said in capsys.readouterr().err
