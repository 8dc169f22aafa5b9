"""`python -m hrv_engine build --server`: a build over two servers, with folders of their own, is the file of one."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from comfyui_hrv.tests import workflows
from comfyui_hrv.tools.server import ComfyServer
from hrv_engine.__main__ import main
from hrv_engine.relevance import files

GRAPH, LIMIT, BATCH, SECONDS = "22 Build head vectors by votes", 44, 4, 600
SMALL = {"steps": 6, "batch_size": BATCH, "per_timestep": True, "logit_scale": True}


@pytest.fixture(scope="module")
def second() -> Iterator[ComfyServer]:
    """Another server, with models and output of its own."""
    with ComfyServer() as running:
        yield running


def arguments(servers: list[ComfyServer], folder: Path, *more: str) -> list[str]:
    addresses = [word for server in servers for word in ("--server", server.client.url)]
    settings = ["--set", f"HRVPromptSet.limit={LIMIT}", *(f"{name}={value}" for name, value in SMALL.items())]
    where = ["--workflow", GRAPH, "--parts", "11", "--save-as", "shared", "--to", str(folder)]
    return ["build", *addresses, *where, *settings, *more]


def started(repository: Path, servers: list[ComfyServer], folder: Path) -> subprocess.Popen:
    line = [sys.executable, "-m", "hrv_engine", *arguments(servers, folder)]
    return subprocess.Popen(line, cwd=repository, stderr=subprocess.PIPE, text=True, preexec_fn=hear_interrupts)


def hear_interrupts() -> None:
    """A shell starts background jobs deaf to SIGINT, and they hand it down: this test must not depend on that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def wait_until(true, running: subprocess.Popen) -> None:
    deadline = time.monotonic() + SECONDS
    while not true():
        assert running.poll() is None, running.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def counted(path: Path) -> int:
    return files.load(path).votes.images if path.exists() else 0


def parts_of(server: ComfyServer) -> set[str]:
    return {path.stem for path in (server.models / "hrv" / "parts").glob("shared_*.safetensors")}


def test_stopped_and_continued_with_a_server_lost_it_is_the_very_file_of_one_build(
    server, second, repository, tmp_path
):
    path = tmp_path / "shared.safetensors"
    running = started(repository, [server, second], tmp_path)
    wait_until(path.exists, running)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=SECONDS)
    kept = counted(path)
    assert running.returncode == 130 and 0 < kept < LIMIT and kept % BATCH == 0
    assert f"{kept} of {LIMIT} images are kept" in said and "Traceback" not in said
    assert server.client.get("/queue")["queue_pending"] == []

    running = started(repository, [server, second], tmp_path)
    wait_until(lambda: counted(path) > kept and parts_of(server) and parts_of(second), running)
    second.stop()
    _, said = running.communicate(timeout=SECONDS)
    assert running.returncode == 0, said

    prompt = workflows.converted(GRAPH, server.client.object_info())
    server.client.run(workflows.with_values(prompt, **SMALL, limit=LIMIT, save_as="single"), timeout=SECONDS)
    assert path.read_bytes() == (server.models / "hrv" / "single.safetensors").read_bytes()


def test_a_finished_build_is_not_built_again(server, tmp_path, capsys):
    small = ("HRVPromptSet.limit=4", "steps=1")
    assert main(arguments([server], tmp_path, "--set", *small)) == 0
    assert '4 images: prompts "pocket" 0 to 3' in capsys.readouterr().out
    before = parts_of(server)
    for name in before:
        (server.models / "hrv" / "parts" / f"{name}.safetensors").unlink()
    assert main(arguments([server], tmp_path, "--set", *small)) == 0
    assert "4 images" in capsys.readouterr().out and before and not parts_of(server)


@pytest.mark.parametrize(
    "change, said",
    [
        (["--workflow", "02 Steer a word, before and after"], "0 HRV Build nodes"),
        (["--workflow", "99_nothing"], 'no workflow "99_nothing"'),
        (
            ["--workflow", "24 SD1.5 - build head vectors by votes", "--set", "CheckpointLoaderSimple.ckpt_name=x"],
            'has no "x" (ckpt_name',
        ),
        (["--set", "stpes=3"], 'Nearest: "steps"'),
        (["--ray", "local"], "Say where to build"),
    ],
)
def test_what_cannot_be_shared_is_told_before_anything_is_built(server, tmp_path, capsys, change, said):
    assert main(arguments([server], tmp_path, *change)) == 1
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_part_that_fails_is_told_with_what_its_node_said(server, tmp_path, capsys):
    one_word = ("HRVConcepts.custom_yaml=Color: [red]", "HRVPromptSet.limit=2")
    assert main(arguments([server], tmp_path, "--set", *one_word)) == 1
    said = capsys.readouterr().err
    assert "1 of 1 parts failed" in said and "Votes need two or more concepts" in said


def test_a_build_by_effect_over_servers_is_the_very_file_of_one_build(server, tmp_path, capsys):
    graph = "23 Build head vectors by effect"
    small = {"steps": 6, "timesteps": 1, "batch_size": 4, "samples_per_word": 1, "width": 32, "height": 32}
    squares = ("HRVPocketModel.model=squares", "templates=pocket")
    squares += ("HRVConcepts.preset=pocket", "HRVConcepts.keep=Color, Fruit")
    asked = ["build", "--server", server.client.url, "--workflow", graph, "--parts", "3"]
    asked += ["--save-as", "shared_effect", "--to", str(tmp_path)]
    assert main([*asked, "--set", *squares, *(f"{name}={value}" for name, value in small.items())]) == 0
    assert "By effect, 13 samples" in capsys.readouterr().out
    prompt = workflows.with_values(workflows.quick(graph, server.client.object_info()), save_as="one_effect")
    for node in workflows.nodes_of(prompt, "HRVBuildByEffect"):
        prompt[node]["inputs"] |= small
    server.client.run(prompt, timeout=SECONDS)
    single = server.models / "hrv" / "one_effect.safetensors"
    assert (tmp_path / "shared_effect.safetensors").read_bytes() == single.read_bytes()
