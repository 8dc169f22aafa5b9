"""Names that people type for HRV files: inside the folder, or one sentence."""

from __future__ import annotations

import os

import folder_paths
import pytest

from comfyui_hrv.hrv_engine.errors import HRVError
from comfyui_hrv.nodes.files.hrv_files import NO_ORDER, HRVImport, HRVLoad
from comfyui_hrv.nodes.host.folders import FOLDER, forget_listing, hrv_files, hrv_path, new_hrv_path


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setitem(folder_paths.folder_names_and_paths, FOLDER, ([str(tmp_path)], {".safetensors", ".npy"}))
    forget_listing()
    yield tmp_path.resolve()
    forget_listing()


@pytest.mark.parametrize(
    "name, inside",
    [
        ("my_hrv", "my_hrv.safetensors"),
        ("sd15/my_hrv.safetensors", "sd15/my_hrv.safetensors"),
        ("Été 夏", "Été 夏.safetensors"),
        ("my_hrv\n", "my_hrv.safetensors"),
        ("\t my_hrv.safetensors ", "my_hrv.safetensors"),
        ("my hrv", "my hrv.safetensors"),
        ("v1.5", "v1.5.safetensors"),
        ("a" * 200, "a" * 200 + ".safetensors"),
    ],
)
def test_a_name_becomes_a_file_in_the_folder(folder, name, inside):
    assert new_hrv_path(name) == folder / inside


@pytest.mark.parametrize(
    "name",
    ["", " ", ".", "..", "../up", "a/../../up", "/etc/passwd", "a\x00b", "a\x1b[31m", "\ud83c", "a" * 250, "夏" * 90]
    + ["b/" + "a" * 250, "/", "a/..", ".safetensors", "\n", "a/ /b", "sd15/", "a\u202eb", "a\nb", "sd15\t/b"],
)
def test_what_is_no_name_is_refused_in_one_sentence(folder, name):
    with pytest.raises(HRVError, match="is not a file name inside") as error:
        new_hrv_path(name)
    assert len(str(error.value)) < 400 + len(str(folder))


def test_a_suffix_in_capitals_is_listed_as_core_lists_it(folder):
    for name in ("Up.SAFETENSORS", "V.NPY"):
        (folder / name).touch()
    assert hrv_files()[0] == "Up.SAFETENSORS" and hrv_files(".npy")[0] == "V.NPY"
    assert hrv_path("V.NPY") == folder / "V.NPY"


@pytest.mark.parametrize("name", ["nothing", "a\x00b", "a" * 5000, "preset: a\x00b", "preset: " + "a" * 5000, "\ud83c"])
def test_a_file_that_is_not_there_is_named_whatever_its_name(folder, name):
    with pytest.raises(HRVError, match="There is no HRV file"):
        hrv_path(name)


@pytest.fixture
def dated(folder):
    """Files that changed 100, 200, ... seconds after the epoch."""
    for number, name in enumerate(["a.npy", "b.npy", "c.safetensors"], 1):
        (folder / name).write_bytes(b"x")
        os.utime(folder / name, (100 * number, 100 * number))
    return folder


def test_a_linked_file_is_no_name_yet_and_every_file_counts_for_it(dated):
    assert HRVLoad.validate_inputs(None) is True is HRVLoad.validate_inputs("c.safetensors")
    assert 'There is no HRV file "gone"' in HRVLoad.validate_inputs("gone")
    assert 'There is no HRV file "5"' in HRVLoad.validate_inputs(5)
    assert HRVLoad.fingerprint_inputs("c.safetensors") == [300]
    linked = HRVLoad.fingerprint_inputs(None)
    assert linked[0] == 300 and len(linked) > 1  # and the shipped presets
    (dated / "dangling.safetensors").symlink_to(dated / "nowhere")
    forget_listing()
    assert HRVLoad.fingerprint_inputs(None)[:2] == [300, 0]


@pytest.mark.parametrize(
    "file, order, changes",
    [
        ("a.npy", "b.npy", [100, 200]),
        ("b.npy", NO_ORDER, [200, 0]),
        (None, "b.npy", [100, 200]),
        ("a.npy", None, [100, 200]),
    ],
)
def test_a_replaced_array_or_order_is_noticed(dated, file, order, changes):
    assert HRVImport.fingerprint_inputs(model=None, concepts=None, file=file, order_file=order) == changes
