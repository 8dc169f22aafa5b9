"""Names that people type for HRV files: inside the folder, or one sentence."""

from __future__ import annotations

import folder_paths
import pytest

from comfyui_hrv.hrv_engine.errors import HRVError
from comfyui_hrv.nodes.host.folders import FOLDER, hrv_path, new_hrv_path


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setitem(folder_paths.folder_names_and_paths, FOLDER, ([str(tmp_path)], {".safetensors", ".npy"}))
    return tmp_path.resolve()


@pytest.mark.parametrize(
    "name, inside",
    [
        ("my_hrv", "my_hrv.safetensors"),
        ("sd15/my_hrv.safetensors", "sd15/my_hrv.safetensors"),
        ("Été 夏", "Été 夏.safetensors"),
        ("v1.5", "v1.5.safetensors"),
        ("a" * 200, "a" * 200 + ".safetensors"),
    ],
)
def test_a_name_becomes_a_file_in_the_folder(folder, name, inside):
    assert new_hrv_path(name) == folder / inside


@pytest.mark.parametrize(
    "name",
    ["", " ", ".", "..", "../up", "a/../../up", "/etc/passwd", "a\x00b", "a\x1b[31m", "\ud83c", "a" * 250, "夏" * 90]
    + ["b/" + "a" * 250, "/", "a/..", ".safetensors", "\n", "a/ /b", "sd15/", "a\u202eb"],
)
def test_what_is_no_name_is_refused_in_one_sentence(folder, name):
    with pytest.raises(HRVError, match="is not a file name inside") as error:
        new_hrv_path(name)
    assert len(str(error.value)) < 400 + len(str(folder))


@pytest.mark.parametrize("name", ["nothing", "a\x00b", "a" * 5000, "preset: a\x00b", "preset: " + "a" * 5000, "\ud83c"])
def test_a_file_that_is_not_there_is_named_whatever_its_name(folder, name):
    with pytest.raises(HRVError, match="There is no HRV file"):
        hrv_path(name)
