"""The experiment runner against real ComfyUI servers: whole, killed and resumed, and with all that goes wrong."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread

import pytest

from comfyui_hrv.tests import workflows
from comfyui_hrv.tools.server import ComfyServer
from hrv_engine.__main__ import main
from hrv_engine.errors import HRVError
from hrv_engine.experiments import plan
from hrv_engine.experiments.cases import cases
from hrv_engine.experiments.command import prepare
from hrv_engine.experiments.plan import Experiment
from hrv_engine.experiments.store import Store, digest
from hrv_engine.remote.client import RETRIES, WITHOUT_WAITING, Server, ServerLost
from hrv_engine.remote.prompt import PromptRefused
from hrv_engine.remote.runner import Work, run

POCKET, FEW = "pocket_misreading", ("--keep", "2", "--seeds", "1, 2")


def arguments(server: ComfyServer, name: str, folder: Path, *more: str) -> list[str]:
    return ["experiment", name, "--server", server.client.url, "--to", str(folder), *more]


def started(repository: Path, *asked: str) -> subprocess.Popen[str]:
    """The runner as a process of its own, which can be killed."""
    line = [sys.executable, "-m", "hrv_engine", *asked]
    return subprocess.Popen(line, cwd=repository, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def tables(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


def works_of(name: str, server: Server, count: int, overrides: Sequence[str] = ()) -> list[Work]:
    experiment = replace(Experiment.load(name), keep=1)
    jobs = list(plan.jobs(experiment, cases(experiment)))[:count]
    return prepare(experiment, jobs, [server], overrides)


def test_killed_in_the_middle_it_goes_on_and_writes_the_very_same_tables(server, repository, tmp_path, capsys):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert main(arguments(server, POCKET, whole, *FEW)) == 0
    said = capsys.readouterr().out
    assert "| adjusted | 4 |" in said and "4 of 4 jobs are finished." in said
    process = started(repository, *arguments(server, POCKET, broken, *FEW))
    marks = broken / POCKET / "jobs"
    deadline = time.monotonic() + 300
    while not list(marks.glob("*/done.json")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    first = {path: path.stat().st_mtime_ns for path in marks.glob("*/done.json")}
    assert 0 < len(first) < 4
    assert main(arguments(server, POCKET, broken, *FEW)) == 0
    assert {path: path.stat().st_mtime_ns for path in first} == first, "a finished job was done again"
    assert tables(broken / POCKET) == tables(whole / POCKET)
    assert set(tables(whole / POCKET)) == {"README.md", "summary.csv", "by_prompt.csv", "pictures.csv", "pictures.png"}
    assert main([*arguments(server, POCKET, whole, *FEW), "--tables", "--server", "127.0.0.1:9"]) == 0
    assert tables(broken / POCKET) == tables(whole / POCKET)


def test_sigterm_cancels_what_it_queued(server, repository, tmp_path):
    process = started(repository, *arguments(server, POCKET, tmp_path))
    while not list((tmp_path / POCKET / "jobs").glob("*/done.json")):
        assert process.poll() is None
        time.sleep(0.02)
    process.terminate()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130 and "the same command goes on" in errors and "Traceback" not in errors
    queue = server.client.get("/queue")
    assert queue["queue_pending"] == []


def test_a_failed_prompt_is_recorded_and_the_others_go_on(server, tmp_path, capsys):
    one_seed = arguments(server, POCKET, tmp_path, "--keep", "2", "--seeds", "1")
    # a word of the first prompt, not of the second
    assert main([*one_seed, "--set", "HRVConceptAdjust.word=square"]) == 1
    said = capsys.readouterr()
    assert "1 of 2 jobs failed" in said.err and "1 of 2 jobs are finished." in said.out
    with open(tmp_path / POCKET / "failures.csv", encoding="utf-8", newline="") as file:
        (failure,) = csv.DictReader(file)
    assert failure["job"].startswith("a-peach-cross") and "HRVConceptAdjust" in failure["reason"]
    assert '"square"' in failure["reason"]
    assert main(one_seed) == 0 and not (tmp_path / POCKET / "failures.csv").exists()


def test_a_server_that_lacks_a_file_is_named_with_the_file_and_what_to_do(server, tmp_path, capsys):
    lacking = ("--set", "CheckpointLoaderSimple.ckpt_name=not_there.safetensors")
    assert main(arguments(server, "misreading", tmp_path, *lacking)) == 1
    said = capsys.readouterr().err
    assert 'has no "not_there.safetensors"' in said and "--set CheckpointLoaderSimple.ckpt_name=FILE" in said
    for wrong, answers in (("step=3", ('no input "step"', '"steps"')), ("steps", ("Write NODE.INPUT=VALUE",))):
        assert main(arguments(server, POCKET, tmp_path, "--set", f"KSampler.{wrong}")) == 1
        said = capsys.readouterr().err
        assert all(answer in said for answer in answers)
    assert not (tmp_path / POCKET).exists()


def test_two_servers_share_the_work_and_one_that_dies_hands_its_jobs_to_the_other(server, tmp_path):
    with ComfyServer() as other:
        servers = [Server(server.client.url), Server(other.client.url, WITHOUT_WAITING)]
        works = works_of(POCKET, servers[0], 8)
        assert other.process is not None
        failed = run(works, servers, Store(tmp_path), tick=other.process.kill)  # as soon as the first job is done
        assert failed == {} and all(Store(tmp_path).done(work.name, work.digest) for work in works)
        other.process.wait()


def test_a_server_that_restarts_gets_what_it_forgot_again(tmp_path):
    with ComfyServer() as first:
        patient = Server(first.client.url, RETRIES.new(total=600, backoff_max=1))
        works = works_of(POCKET, patient, 4)
        one_is_done = Event()
        restarting = Thread(target=restart, args=(first, one_is_done))
        restarting.start()
        try:
            failed = run(works, [patient], Store(tmp_path), tick=one_is_done.set)
        finally:
            one_is_done.set()
            restarting.join()
        assert failed == {} and all(Store(tmp_path).done(work.name, work.digest) for work in works)


def restart(server: ComfyServer, when: Event) -> None:
    """Kill the server at the event, and start it again under the same address."""
    when.wait()
    assert server.process is not None
    server.process.kill()
    server.process.wait()
    server.__enter__()


def test_without_any_server_left_it_says_how_to_go_on_and_keeps_what_is_done(tmp_path):
    with ComfyServer() as only:
        client = Server(only.client.url, WITHOUT_WAITING)
        works = works_of(POCKET, client, 4)
        assert run(works[:1], [client], Store(tmp_path)) == {}
        assert only.process is not None
        only.process.kill()
        only.process.wait()
        with pytest.raises(ServerLost, match="run the same command again"):
            run(works, [client], Store(tmp_path))
        assert Store(tmp_path).done(works[0].name, works[0].digest)


def test_a_server_without_the_pack_is_told_apart():
    with (
        ComfyServer(arguments=("--cpu", "--disable-all-custom-nodes")) as bare,
        pytest.raises(HRVError, match="does not have this pack.*custom_nodes"),
    ):
        _ = Server(bare.client.url).schemas


def test_a_refused_prompt_says_which_input_of_which_node(server):
    client = Server(server.client.url)
    (work,) = works_of(POCKET, client, 1)
    broken = {key: {**node, "inputs": {**node["inputs"]}} for key, node in work.prompt.items()}
    (sampler, *_) = workflows.nodes_of(broken, "KSampler")
    broken[sampler]["inputs"]["steps"] = "many"
    with pytest.raises(PromptRefused, match="refused the prompt: KSampler: .*steps"):
        client.submit(broken)
    assert run([replace(work, prompt=broken, digest=digest(broken))], [client], Store(Path("unused")))[work.name]


@pytest.mark.parametrize("name", plan.names())
def test_every_experiment_becomes_a_valid_prompt_of_its_graph(server, stand_ins, name):
    """Files that are not here are put in place as names only: what is checked is nodes, inputs and links."""
    client = Server(server.client.url)
    schemas = client.schemas
    experiment = Experiment.load(name)
    jobs = list(plan.jobs(experiment, cases(experiment)))
    files = {"CheckpointLoaderSimple": "ckpt_name", "HRVLoad": "file"}
    for kind, field in files.items():  # the names the experiment asks for count as there
        group = schemas[kind]["input"]["required"]
        options = group[field][0] if isinstance(group[field][0], list) else group[field][1]["options"]
        options += [value for key, value in experiment.set.items() if key.endswith(f".{field}")]
        stock = (*workflows.STOCK_FILES.values(), "sd15_paper34.safetensors")
        options += [name for name in stock if name not in options]
    works = prepare(experiment, [jobs[0], jobs[-1]], [client])
    for work in works:
        assert set(work.pictures) == set(experiment.pictures) and set(work.texts) == set(experiment.texts)
        assert all(node in work.prompt for node in (*work.pictures.values(), *work.texts.values()))
    assert works[0].digest != works[1].digest or len(jobs) == 1
