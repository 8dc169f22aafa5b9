"""Two processes that build into one file: the very file of one build, whether their parts are apart or overlap."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from comfyui_hrv.hrv_engine.relevance import files

from .pocket_builder import LIMIT, run


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("single") / "single.safetensors"
    assert run(path) == LIMIT
    return path.read_bytes()


@pytest.mark.parametrize("parts", [[(0, 6), (6, 0)], [(0, 7), (3, 0)]], ids=["apart", "overlapping"])
def test_two_processes_that_build_into_one_file_write_the_file_of_one(whole, tmp_path, repository, parts):
    path, builder = tmp_path / "shared.safetensors", Path(__file__).with_name("pocket_builder.py")
    started = [
        subprocess.Popen(
            [sys.executable, builder, path, *map(str, part)], cwd=repository, stdout=subprocess.PIPE, text=True
        )
        for part in parts
    ]
    reported = [int(process.communicate()[0].split()[-1]) for process in started]
    assert [process.returncode for process in started] == [0, 0]
    assert max(reported) == files.load(path).votes.images == LIMIT
    assert path.read_bytes() == whole
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
