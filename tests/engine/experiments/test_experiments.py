"""Experiments as data: files, cases, jobs, the store that resumes, and tables without invented figures."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from hrv_engine.errors import HRVError
from hrv_engine.experiments import plan, results
from hrv_engine.experiments.cases import cases
from hrv_engine.experiments.measures import MEASURES
from hrv_engine.experiments.plan import Experiment
from hrv_engine.experiments.readers import Readers, check_names
from hrv_engine.experiments.store import Store

PAPER = ("construction", "weakening", "misreading", "editing", "multi_concept", "multi_concept_plain", "timesteps",
         "extended_concepts", "weakening_sdxl", "misreading_sdxl")  # fmt: skip
COUNTS = {  # cases of the paper's experiments: prompts x seeds
    "misreading": 10 * 10,
    "editing": 225 * 10,
    "multi_concept": 150 * 30,
    "multi_concept_plain": 66 * 30,
    "construction": 1,
    "misreading_sdxl": 2 * 10 * 10,
}


def jobs_of(name: str) -> list[plan.Job]:
    experiment = Experiment.load(name)
    return list(plan.jobs(experiment, cases(experiment)))


@pytest.mark.parametrize("name", plan.names())
def test_every_experiment_has_jobs_with_names_of_their_own_and_a_measure(name: str):
    experiment = Experiment.load(name)
    jobs = jobs_of(name)
    assert jobs and len({job.name for job in jobs}) == len(jobs)
    assert experiment.measure in MEASURES and experiment.about and experiment.source
    assert all(field in jobs[0].case.asked for field in experiment.ask.values())
    check_names(experiment.score, name)


def test_every_experiment_of_the_paper_has_its_twin_on_the_pocket_model():
    for name in PAPER:
        assert Experiment.load(f"pocket_{name}").workflow == Experiment.load(name).workflow


@pytest.mark.parametrize(("name", "count"), COUNTS.items())
def test_the_papers_experiments_have_the_papers_size(name: str, count: int):
    assert len(jobs_of(name)) == count


def test_weakening_covers_nine_concepts_and_five_held_out_lists():
    jobs = jobs_of("weakening")
    groups = dict.fromkeys(job.case.group for job in jobs)
    assert len(groups) == 14 and sum("held out" in group for group in groups) == 5
    assert {job.case.seed for job in jobs} == {10, 20, 30}
    color = [job for job in jobs if job.case.group == "Color"]
    assert len(color) == 50 * 3


def test_building_takes_the_users_prompts_after_the_thousand_classes(tmp_path: Path):
    (tmp_path / "mine.txt").write_text("a castle at dawn\n\na bowl of soup\n", encoding="utf-8")
    (case,) = cases(Experiment.load("construction"), tmp_path / "mine.txt")
    lines = case.asked["prompts"].split("\n")
    assert len(lines) == 1002 and lines[-1] == "a bowl of soup" and lines[0].startswith("a photo of a")
    with pytest.raises(HRVError, match=r"nothing_there\.txt cannot be read"):
        cases(Experiment.load("construction"), tmp_path / "nothing_there.txt")
    with pytest.raises(HRVError, match="builds no vectors"):
        cases(Experiment.load("misreading"), tmp_path / "mine.txt")


@pytest.mark.parametrize("name", ["nothing", "a" * 5000, "../prompts/quick", "a\x00b", ""])
def test_a_benchmark_that_is_not_there_is_named_whatever_its_name(name: str):
    with pytest.raises(HRVError, match="of benchmarks. There are: .*editing, "):
        cases(replace(Experiment.load("misreading"), benchmark=name))


@pytest.mark.parametrize("name", ["nothing", "a" * 5000 + ".yaml", "a\x00b.yaml"])
def test_an_experiment_that_is_not_there_is_named_whatever_its_name(name: str):
    with pytest.raises(HRVError, match="There is no experiment"):
        Experiment.load(name)


def written(folder: Path, name: str, text: str) -> Path:
    (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder


WHOLE = "about: a\nsource: b\nmeasure: misreading\nworkflow: w\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("about: a\nsource: b", "needs about, source, measure and workflow"),
        (WHOLE + "pictrues: {}", 'unknown entry "pictrues".*"pictures"'),
        (WHOLE + "set: [1, 2]", "hold names and values"),
        (WHOLE + "pictures: {a: A}\ntexts: {a: B}", "names in common"),
        ("extends: mine\nabout: a", "in a circle"),
        ("- a list", "must hold entries"),
        ("a: [", "cannot be read as YAML"),
        ("a: !!bool maybe", "cannot be read as YAML"),
        ("a: &a [*a]", "cannot be read as YAML"),
        ("1: a", "must hold entries"),
        (WHOLE + "score: [1]", "score must hold names and values"),
        ("extends: [a]", "extends ..a.., which is no experiment"),
        ("extends: ../other", "which is no experiment. There are: "),
        ("extends: misreading\nset: 5", "set must hold names and values"),
        (WHOLE + "keep: many", "keep must hold a number from 0"),
        (WHOLE + "keep: -1", "keep must hold a number from 0"),
        (WHOLE + "seeds: [1, a]", "seeds must hold a list of numbers from 0"),
        (WHOLE + "seeds: 5", "seeds must hold a list"),
        (WHOLE + "variants: {}", "variants must hold names"),
        (WHOLE + "variants: {a: 5}", "variants must hold names"),
        (WHOLE + "ask: {a: 5}", "ask must hold names and texts"),
        (WHOLE + "paper: [{value: 5}]", "paper must hold a list of statements"),
        (WHOLE + "groups: a", "groups must hold a list of texts"),
        ("about: [a]\nsource: b\nmeasure: c\nworkflow: d", "about must hold a text"),
    ],
)
def test_a_file_that_is_no_experiment_says_what_is_wrong_with_it(tmp_path: Path, text: str, message: str):
    with pytest.raises(HRVError, match=message):
        Experiment.load("mine", written(tmp_path, "mine", text))


def test_an_unknown_name_is_answered_with_the_nearest_one():
    with pytest.raises(HRVError, match='no experiment "misreadin".*"misreading"'):
        Experiment.load("misreadin")
    with pytest.raises(HRVError, match='scored by "clipp".*"clip"'):
        check_names({"clipp": True}, "mine")


def test_a_file_adds_to_the_one_it_extends(tmp_path: Path):
    written(tmp_path, "below", WHOLE + "set: {a.b: 1, c.d: 2}\nscore: {clip: true}")
    made = Experiment.load("above", written(tmp_path, "above", "extends: below\nset: {a.b: 3}\nscore: {pocket: true}"))
    assert made.name == "above" and made.set == {"a.b": 3, "c.d": 2} and made.score == {"pocket": True}


def png(folder: Path, value: int) -> bytes:
    path = folder / "one.png"
    Image.fromarray(np.full((4, 4, 3), value, np.uint8)).save(path)
    return path.read_bytes()


def test_cells_without_a_measurement_stay_empty_beside_the_papers():
    paper = [{"figure": "misread, plain", "value": 0.63}, {"figure": "misread, adjusted", "value": 0.159}]
    rows = results.compared(paper, {"misread, plain": 0.5})
    assert [row["measured"] for row in rows] == [0.5, ""]
    assert "| misread, adjusted | 0.159 |  |  |" in results.as_markdown(rows)
    assert results.mean(["", ""]) == "" and results.mean(["", 1, 0]) == 0.5


def finished(tmp_path: Path, name: str, keep: int = 1) -> tuple[Experiment, list[plan.Job], Store]:
    """One seed of an experiment with grey images under every name."""
    experiment = Experiment.load(name)
    jobs = jobs_of(name)[:keep]
    store = Store(tmp_path / name)
    for job in jobs:
        store.save(job.name, "x", {key: [png(tmp_path, 128)] for key in experiment.pictures}, {})
    return experiment, jobs, store


def test_misreading_is_counted_from_what_people_write_into_ratings(tmp_path: Path):
    experiment, jobs, store = finished(tmp_path, "misreading", keep=2)
    first = MEASURES["misreading"](experiment, jobs, store, Readers())
    assert [row["misread"] for row in first.tables["summary"]] == ["", "", ""] and first.figures == {}
    path = store.folder / "ratings.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1 + 6 and "ratings.csv" in first.notes[0]
    filled = [line.replace(",,", f",{int('plain' in line)},") for line in lines]
    path.write_text("\n".join(filled), encoding="utf-8")
    second = MEASURES["misreading"](experiment, jobs, store, Readers())
    assert second.figures == {"misread, plain": 1.0, "misread, strengthened": 0.0, "misread, adjusted": 0.0}
    MEASURES["misreading"](experiment, jobs[:1], store, Readers())  # a smaller run keeps the other ratings
    assert MEASURES["misreading"](experiment, jobs, store, Readers()).figures == second.figures
    store.save(jobs[0].name, "y", {key: [png(tmp_path, 7)] for key in experiment.pictures}, {})  # drawn anew: unrated
    third = MEASURES["misreading"](experiment, jobs, store, Readers())
    assert [row["misread"] for row in third.tables["pictures"]] == ["", "", "", 1, 0, 0]
    path.write_text("\n".join([filled[0], filled[1].replace(",1,", ",maybe,").replace(",0,", ",maybe,")]))
    with pytest.raises(HRVError, match='says "maybe".*Write 1'):
        MEASURES["misreading"](experiment, jobs, store, Readers())


class Brightness:
    """A scorer that is a function of the image alone."""

    name = "brightness"

    def score(self, images: torch.Tensor, text: str) -> np.ndarray:
        return images.mean(dim=(1, 2, 3)).double().numpy()


def test_editing_and_several_objects_fill_only_the_columns_that_were_scored(tmp_path: Path):
    for name, column in (("editing", "clip"), ("multi_concept", "full_prompt")):
        experiment, jobs, store = finished(tmp_path, name)
        found = MEASURES[experiment.measure](experiment, jobs, store, Readers({"clip": Brightness()}, identity="b"))
        row = found.tables["summary"][0]
        assert row[column] == pytest.approx(128 / 255, abs=1e-6)
        assert not {"background_dino", "minimum_object", "caption", "edited", "present"} & set(row)
        assert all(abs(gain) < 1e-9 for gain in found.figures.values()) and found.figures


def test_weakening_without_a_scorer_says_so_and_draws_no_curve(tmp_path: Path):
    experiment, jobs, store = finished(tmp_path, "weakening")
    found = MEASURES["weakening"](experiment, jobs, store, Readers())
    assert found.tables["summary"] == [{"experiment": "Color", "area": ""}]
    assert not found.drawings and "not scored" in found.notes[0]


def test_results_are_written_as_csv_markdown_and_images(tmp_path: Path):
    experiment = Experiment.load("misreading")
    found = results.Results({"summary": [{"a": 0.5, "b": ""}], "pictures": [{"c": 1}]}, {"misread, plain": 0.5})
    found.drawings["pictures"] = np.zeros((4, 4, 3), np.uint8)
    paths = results.write(tmp_path, experiment, found, "1 of 2 jobs are finished.")
    tables = {"summary.csv", "pictures.csv", "comparison.csv"}
    assert {path.name for path in paths} == {"README.md", "pictures.png", *tables}
    page = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "| 0.5 |  |" in page and "1 of 2 jobs" in page and "## comparison" in page and "![pictures]" in page
    assert (tmp_path / "summary.csv").read_text(encoding="utf-8") == "a,b\n0.5,\n"
    assert "0.159,," in (tmp_path / "comparison.csv").read_text(encoding="utf-8")


def test_a_markers_images_and_digest_can_be_read_by_people(tmp_path: Path):
    experiment, jobs, store = finished(tmp_path, "misreading")
    assert jobs[0].name == "a-rose-colored-vase__rose-colored__seed-1"
    marker = json.loads((store.job(jobs[0].name) / "done.json").read_text(encoding="utf-8"))
    assert marker["pictures"] == {key: [f"{key}_0.png"] for key in experiment.pictures}


def test_editing_reads_what_follows_the_swapped_word_as_the_authors_do_and_so_does_its_twin():
    for name in ("editing", "pocket_editing"):
        assert Experiment.load(name).set["HRVP2PEdit.tail"] == "index"
