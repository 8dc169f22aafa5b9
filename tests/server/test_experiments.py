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
SMALL = ("steps=1", "width=64", "height=64")


def command(server: ComfyServer, name: str, folder: Path, *more: str) -> list[str]:
    where = ["--server", server.client.url, "--to", str(folder)]
    return [sys.executable, "-m", "hrv_engine", "experiment", name, *where, *more]


def carried_out(server: ComfyServer, name: str, folder: Path, root: Path, *more: str) -> subprocess.CompletedProcess:
    return subprocess.run(command(server, name, folder, *more), cwd=root, capture_output=True, text=True, timeout=900)


def tables(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


def works_of(name: str, server: Server, count: int, overrides: Sequence[str] = ()) -> list[Work]:
    experiment = replace(Experiment.load(name), keep=1)
    jobs = list(plan.jobs(experiment, cases(experiment)))[:count]
    return prepare(experiment, jobs, [server], overrides)


def test_killed_in_the_middle_it_goes_on_and_writes_the_very_same_tables(server, repository, tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    done = carried_out(server, POCKET, whole, repository, *FEW)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "| adjusted | 4 |" in done.stdout and "4 of 4 jobs are finished." in done.stdout
    process = subprocess.Popen(
        command(server, POCKET, broken, *FEW), cwd=repository, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    marks = broken / POCKET / "jobs"
    deadline = time.monotonic() + 300
    while not list(marks.glob("*/done.json")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    first = {path: path.stat().st_mtime_ns for path in marks.glob("*/done.json")}
    assert 0 < len(first) < 4
    again = carried_out(server, POCKET, broken, repository, *FEW)
    assert again.returncode == 0, again.stderr[-2000:]
    assert {path: path.stat().st_mtime_ns for path in first} == first, "a finished job was done again"
    assert tables(broken / POCKET) == tables(whole / POCKET)
    assert set(tables(whole / POCKET)) == {"README.md", "summary.csv", "by_prompt.csv", "pictures.csv", "pictures.png"}
    tabulated = carried_out(server, POCKET, whole, repository, *FEW, "--tables", "--server", "127.0.0.1:9")
    assert tabulated.returncode == 0 and tables(broken / POCKET) == tables(whole / POCKET)


def test_sigterm_cancels_what_it_queued(server, repository, tmp_path):
    process = subprocess.Popen(
        command(server, POCKET, tmp_path), cwd=repository, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    while not list((tmp_path / POCKET / "jobs").glob("*/done.json")):
        assert process.poll() is None
        time.sleep(0.02)
    process.terminate()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130 and "the same command goes on" in errors and "Traceback" not in errors
    queue = server.client.get("/queue")
    assert queue["queue_pending"] == []


def test_a_failed_prompt_is_recorded_and_the_others_go_on(server, repository, tmp_path):
    bad = ("--set", "HRVConceptAdjust.word=square")  # a word of the first prompt, not of the second
    done = carried_out(server, POCKET, tmp_path, repository, "--keep", "2", "--seeds", "1", *bad)
    assert done.returncode == 1 and "1 of 2 jobs failed" in done.stderr and "1 of 2 jobs are finished." in done.stdout
    with open(tmp_path / POCKET / "failures.csv", encoding="utf-8", newline="") as file:
        (failure,) = csv.DictReader(file)
    assert failure["job"].startswith("a-peach-cross") and "HRVConceptAdjust" in failure["reason"]
    assert '"square"' in failure["reason"]
    again = carried_out(server, POCKET, tmp_path, repository, "--keep", "2", "--seeds", "1")
    assert again.returncode == 0 and not (tmp_path / POCKET / "failures.csv").exists()


def test_a_server_that_lacks_a_file_is_named_with_the_file_and_what_to_do(server, repository, tmp_path):
    lacking = ("--set", "CheckpointLoaderSimple.ckpt_name=not_there.safetensors")
    done = carried_out(server, "misreading", tmp_path, repository, *lacking)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert 'has no "not_there.safetensors"' in done.stderr
    assert "--set CheckpointLoaderSimple.ckpt_name=FILE" in done.stderr
    done = carried_out(server, POCKET, tmp_path, repository, "--set", "KSampler.step=3")
    assert done.returncode == 1 and 'no input "step"' in done.stderr and '"steps"' in done.stderr
    done = carried_out(server, POCKET, tmp_path, repository, "--set", "KSampler.steps")
    assert done.returncode == 1 and "Write NODE.INPUT=VALUE" in done.stderr
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
