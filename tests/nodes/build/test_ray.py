"""`python -m hrv_engine build --ray local`: two workers of a real Ray write the very file that one process writes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

import psutil
import pytest

import nodes
from comfyui_hrv.hrv_engine.benchmarks.prompts import PromptSet
from comfyui_hrv.hrv_engine.paths import PRESETS
from comfyui_hrv.hrv_engine.pocket.model import MODELS
from comfyui_hrv.hrv_engine.relevance import files
from comfyui_hrv.hrv_engine.relevance.build_settings import EffectSettings
from comfyui_hrv.hrv_engine.relevance.concepts import ConceptSet
from comfyui_hrv.hrv_engine.relevance.samples import SampleSet, Templates
from comfyui_hrv.hrv_engine.scale.command import SETTINGS
from comfyui_hrv.nodes.build.build import HRVBuild
from comfyui_hrv.nodes.host import headless
from comfyui_hrv.nodes.host.build import BuildSettings, build
from comfyui_hrv.nodes.host.build_effect import build_by_effect
from comfyui_hrv.nodes.host.pocket import load_pocket

LIMIT, BATCH, PARTS = 23, 2, 12
SMALL = {"width": 32, "height": 32, "cfg": 3.0, "steps": 6, "batch_size": BATCH, "draws": 2}
SMALL |= {"logit_scale": True, "per_timestep": True}


@contextmanager
def shared_build(repository: Path, folder: Path) -> Iterator[subprocess.Popen]:
    """The command, running; whatever a test does, it does not outlive it."""
    what = ["--cpu", "--checkpoint", "pocket", "--concepts", "pocket", "--prompts", "pocket", "--limit", str(LIMIT)]
    where = ["--ray", "local", "--workers", "2", "--parts", str(PARTS), "--to", str(folder), "--save-as", "shared"]
    settings = ["--set", *(f"{name}={value}" for name, value in SMALL.items())]
    line = [sys.executable, "-m", "hrv_engine", "build", *where, *what, *settings]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(line, cwd=repository, env=environment, stderr=subprocess.PIPE, text=True) as running:
        try:
            yield running
        finally:
            running.terminate()


def kill_a_worker(running: subprocess.Popen) -> bool:
    """Kill a worker process that builds a part now, if there is one: Ray names them after their task."""
    with suppress(psutil.NoSuchProcess):  # it ended meanwhile
        for process in psutil.Process(running.pid).children(recursive=True):
            if "ray::build_part" in " ".join(process.cmdline()):
                process.kill()
                return True
    return False


def counted(path: Path) -> int:
    return files.load(path).votes.images if path.exists() else 0


@pytest.fixture
def pocket_build(repository):
    """Builds on the pocket model in this process: (path, start, count) -> nothing."""
    presets = repository / "hrv_presets"
    prompts = PromptSet.load(presets / "prompts" / "pocket.yaml").first(LIMIT)
    concepts = ConceptSet.load(presets / "concepts" / "pocket.yaml")

    def run(path: Path, start: int = 0, count: int = 0) -> None:
        settings = BuildSettings(**(SETTINGS | SMALL))
        build(*load_pocket(MODELS["squares"])[:2], concepts, prompts, settings, path=path, start=start, count=count)

    return run


@pytest.mark.usefixtures("inference_mode")
def test_two_workers_go_on_from_a_file_lose_one_of_them_and_write_the_file_of_one_process(
    repository, tmp_path, pocket_build
):
    single, shared = tmp_path / "single.safetensors", tmp_path / "shared.safetensors"
    pocket_build(single)
    pocket_build(shared, 5, 4)
    with shared_build(repository, tmp_path) as running:
        while counted(shared) == 4 or not kill_a_worker(running):  # however long that takes on a busy machine
            assert running.poll() is None, running.stderr.read()
            time.sleep(0.1)
        _, said = running.communicate()
        assert running.returncode == 0, said
    assert shared.read_bytes() == single.read_bytes()


def test_the_settings_of_the_command_are_those_of_the_node():
    inputs = {one.id: one for one in HRVBuild.define_schema().inputs}
    assert {name: inputs[name].default for name in SETTINGS} == SETTINGS
    BuildSettings(**SETTINGS)


@pytest.fixture
def job(repository) -> dict:
    """What a worker is asked: two prompts on the pocket model."""
    concepts = ConceptSet.load(repository / "hrv_presets" / "concepts" / "pocket.yaml")
    where = {"comfyui": "", "arguments": [], "checkpoint": "pocket", "zero_negative": False}
    prompts = {"name": "two", "prompts": ["a red square", "an orange on the left"]}
    return where | {"concepts": concepts.to_json(), "prompts": prompts, "settings": SETTINGS | SMALL}


@pytest.mark.parametrize(
    "change, said",
    [
        ({"checkpoint": "/nowhere/model.safetensors"}, 'no checkpoint "/nowhere/model.safetensors"'),
        ({"settings": {**SETTINGS, "sampler_name": "dimm"}}, 'sampler_name "dimm" is unknown. Nearest: .*"ddim"'),
    ],
)
def test_a_worker_says_what_it_lacks(job, change, said):
    with pytest.raises(headless.HRVError, match=said):
        headless.build_part(job | change, 0, 0)


def test_a_folder_without_comfyui_is_refused(tmp_path):
    with pytest.raises(headless.HRVError, match="no ComfyUI: .*Set COMFYUI_PATH"):
        headless.use_comfyui(str(tmp_path))


@pytest.mark.usefixtures("inference_mode")
def test_a_worker_builds_with_zeros_for_the_negative_prompt_when_asked(job, tmp_path):
    model, clip, *_ = load_pocket(MODELS["squares"])
    zeros = nodes.ConditioningZeroOut().zero_out(nodes.CLIPTextEncode().encode(clip, "")[0])[0]
    concepts, prompts = ConceptSet.from_json(job["concepts"]), PromptSet("two", tuple(job["prompts"]["prompts"]))
    path = tmp_path / "zeros.safetensors"
    build(model, clip, concepts, prompts, BuildSettings(**job["settings"]), zeros, path=path)
    assert headless.build_part(job | {"zero_negative": True}, 0, 0) == path.read_bytes()
    assert headless.build_part(job, 0, 0) != path.read_bytes()


@pytest.mark.usefixtures("inference_mode")
def test_a_worker_builds_by_effect_what_one_process_builds(job, tmp_path):
    text = (PRESETS / "templates" / "pocket.txt").read_text(encoding="utf-8")
    settings = asdict(EffectSettings(32, 32, 6, 3.0, timesteps=1, integration=1))
    asked = {**job, "samples": {"name": "pocket", "text": text, "rounds": 1}, "settings": settings}
    samples = SampleSet(ConceptSet.from_json(job["concepts"]), Templates.parse(text, "pocket"))
    path = tmp_path / "effect.safetensors"
    build_by_effect(
        *load_pocket(MODELS["squares"])[:2], samples, EffectSettings(**settings), path=path, start=2, count=3
    )
    assert headless.build_part(asked, 2, 3) == path.read_bytes()
