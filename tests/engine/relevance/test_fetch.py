"""Published vectors come by name and with the right hash, or not at all."""

import hashlib
import shutil
import socket
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from comfyui_hrv.tests import skips
from comfyui_hrv.tests.engine.examples import concept_set, random_counts, sd1_layout, sdxl_layout, small_layout
from comfyui_hrv.tests.fileserver import serving
from comfyui_hrv.tests.oddserver import OK, dripping, sending
from hrv_engine.__main__ import main
from hrv_engine.errors import HRVError
from hrv_engine.relevance import fetch, files
from hrv_engine.relevance.relevance import HeadRelevance

PUBLISHED = Path(__file__).parents[3].parent / "shared" / "published"
needs_arrays = pytest.mark.skipif(not PUBLISHED.is_dir(), reason=skips.NO_PUBLISHED_ARRAYS)
LAYOUTS = {"SD1.x": sd1_layout(), "SDXL": sdxl_layout()}


@pytest.fixture
def small(tmp_path) -> tuple[fetch.Published, Path]:
    """A registry entry of a small array, and the folder the array lies in."""
    folder = tmp_path / "there"
    folder.mkdir()
    np.save(folder / "v.npy", np.ones((34, 8), np.float32))
    digest = hashlib.sha256((folder / "v.npy").read_bytes()).hexdigest()
    entry = replace(fetch.published("sd14"), file="v.npy", sha256=digest, layout=small_layout())
    return entry, folder


def nothing_in(folder: Path) -> bool:
    return not folder.exists() or not any(folder.iterdir())


@pytest.mark.parametrize("name", fetch.registry())
def test_the_registry_knows_the_heads_of_its_models_a_fixed_commit_and_the_licence(name):
    entry = fetch.published(name)
    assert entry.layout == LAYOUTS[entry.family]
    assert "414122f1ddc0005fcca20d02575a019ebe7c7310" in entry.address and entry.licence == "Apache-2.0"
    assert entry.save_as in ("sd15_paper34", "sdxl_paper34") and len(entry.sha256) == 64


@needs_arrays
@pytest.mark.parametrize("name", fetch.registry())
def test_the_published_files_are_fetched_and_equal_an_import_by_hand(name, tmp_path, capsys):
    entry = fetch.published(name)
    with serving(PUBLISHED) as (address, asked):
        assert main(["fetch", name, "--to", str(tmp_path), "--mirror", address]) == 0
        assert asked == [f"/{entry.file}"]
        assert main(["fetch", name, "--to", str(tmp_path), "--mirror", address]) == 0
        assert len(asked) == 1, "a file that is there is not fetched again"
    found = files.load(tmp_path / f"{entry.save_as}.safetensors")
    by_hand = files.import_published(PUBLISHED / entry.file, found.concepts, LAYOUTS[entry.family])
    np.testing.assert_array_equal(found.values, by_hand.values)
    assert found.concepts.name == "paper34" and len(found.concepts.names) == 34
    assert found.source["sha256"] == entry.sha256 and found.source["licence"] == "Apache-2.0"
    assert str(tmp_path / f"{entry.save_as}.safetensors") in capsys.readouterr().out


def test_other_bytes_are_refused_with_both_hashes_and_nothing_is_written(small, tmp_path):
    entry, folder = small
    np.save(folder / "v.npy", np.full((34, 8), 2, np.float32))
    other = hashlib.sha256((folder / "v.npy").read_bytes()).hexdigest()
    with serving(folder) as (address, _), pytest.raises(HRVError) as failure:
        fetch.fetch(entry, tmp_path / "here" / "x.safetensors", address)
    assert entry.sha256 in str(failure.value) and other in str(failure.value)
    assert nothing_in(tmp_path / "here")


def test_a_connection_that_breaks_off_is_refused_by_its_hash(small, tmp_path):
    entry, folder = small
    whole = (folder / "v.npy").read_bytes()
    (folder / "v.npy").write_bytes(whole[:100])
    with serving(folder) as (address, _), pytest.raises(HRVError, match="100 bytes came"):
        fetch.fetch(entry, tmp_path / "here" / "x.safetensors", address)
    assert nothing_in(tmp_path / "here")


def test_offline_the_message_names_the_address_and_another_way(small, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{probe.getsockname()[1]}"
    with pytest.raises(HRVError, match=rf"{address}/v.npy cannot be reached: Connection refused.*import it"):
        fetch.fetch(small[0], tmp_path / "here" / "x.safetensors", address)
    assert nothing_in(tmp_path / "here")


def test_a_file_that_is_gone_is_told_with_the_servers_answer(small, tmp_path):
    entry, folder = small
    (folder / "v.npy").unlink()
    with serving(folder) as (address, _), pytest.raises(HRVError, match=r"answered 404 Not Found \(text/html\)"):
        fetch.fetch(entry, tmp_path / "x.safetensors", address)


@pytest.mark.parametrize("mirror", ["file:///etc", "there", "ftp://127.0.0.1", "{}?x=", "{}#", "{}/.."])
def test_only_folders_of_web_servers_are_fetched_from(small, tmp_path, mirror):
    entry, folder = small
    with serving(folder) as (address, asked):
        with pytest.raises(HRVError) as refusal:
            fetch.fetch(entry, tmp_path / "x.safetensors", mirror.format(address))
        assert f'"{mirror.format(address)}" is no address of a folder to fetch from' in str(refusal.value)
        assert fetch.fetch(entry, tmp_path / "x.safetensors", f" {address}// ").source["sha256"] == entry.sha256
    assert asked == ["/v.npy"]


def test_a_redirect_is_not_followed_even_to_the_right_file(small, tmp_path):
    entry, folder = small
    with serving(folder) as (address, asked):
        moved = (0.0, f"HTTP/1.1 302 Found\r\nLocation: {address}/v.npy\r\n\r\n".encode())
        with sending(moved) as odd, pytest.raises(HRVError, match="answered 302 Found.*redirect is not followed"):
            fetch.fetch(entry, tmp_path / "here" / "x.safetensors", odd.address)
    assert asked == [] and nothing_in(tmp_path / "here")


def test_a_mirror_that_drips_or_never_ends_is_left(small, tmp_path, monkeypatch):
    class Cancelled(Exception):
        pass

    def cancel() -> None:
        if time.monotonic() > start + 0.3:
            raise Cancelled

    path = tmp_path / "here" / "x.safetensors"
    with sending((0.0, OK), dripping()) as odd:
        start = time.monotonic()
        with pytest.raises(Cancelled):
            fetch.fetch(small[0], path, odd.address, cancel)
        assert time.monotonic() - start < 2
        monkeypatch.setattr(fetch, "SECONDS", 0.5)
        with pytest.raises(HRVError, match="gave no whole answer within 0.5 seconds"):
            fetch.fetch(small[0], path, odd.address)
    monkeypatch.setattr(fetch, "LARGEST", 1000)
    with sending((0.0, OK + b"x" * 1001)) as odd, pytest.raises(HRVError, match="more than 1000 bytes"):
        fetch.fetch(small[0], path, odd.address)
    assert nothing_in(tmp_path / "here")


@pytest.mark.parametrize("mirror", ["http://127.0.0.1:8188/x?y=", "http://user:hunter2@127.0.0.1/x"])
def test_the_command_takes_no_other_mirrors_than_the_node(tmp_path, capsys, mirror):
    assert main(["fetch", "sd14", "--to", str(tmp_path), "--mirror", mirror]) == 1
    said = capsys.readouterr().err
    assert "is no address of a folder to fetch from" in said and "hunter2" not in said


def test_a_file_of_ones_own_is_never_replaced(small, tmp_path):
    entry, folder = small
    own = HeadRelevance(random_counts(1).astype(np.float32), concept_set("Color", "Shape", "Size"), small_layout())
    path = tmp_path / "x.safetensors"
    files.save(path, own)
    before = path.read_bytes()
    with serving(folder) as (address, asked), pytest.raises(HRVError, match="other vectors than sd14"):
        fetch.fetch(entry, path, address)
    assert path.read_bytes() == before and asked == []


def test_a_folder_that_cannot_be_written_is_told(small, tmp_path):
    entry, folder = small
    (tmp_path / "here").write_text("a file where the folder should be")
    with serving(folder) as (address, _), pytest.raises(HRVError, match="cannot be saved"):
        fetch.fetch(entry, tmp_path / "here" / "x.safetensors", address)


@pytest.mark.parametrize("name", ["x" * 300, "a\x00b", "\ud83c"], ids=["too long", "with a NUL", "half a character"])
def test_a_name_that_no_file_can_have_is_refused_without_a_download(name, tmp_path, capsys):
    assert main(["fetch", "sd14", "--to", str(tmp_path), "--as", name, "--mirror", "http://127.0.0.1:9"]) == 1
    assert "is no name of a file here" in capsys.readouterr().err


def test_an_unknown_name_is_answered_with_the_names_there_are(capsys):
    assert main(["fetch", "sd15"]) == 1
    said = capsys.readouterr().err
    assert '"sd15"' in said and "sd14, sdxl" in said


def test_without_a_comfyui_around_it_the_command_asks_where_to_save(capsys):
    assert main(["fetch", "sd14"]) == 1
    assert "--to FOLDER" in capsys.readouterr().err


def test_a_broken_registry_is_refused_with_its_name(tmp_path):
    shutil.copy(fetch.REGISTRY, tmp_path / "mine.yaml")
    assert list(fetch.registry(tmp_path / "mine.yaml")) == list(fetch.registry())
    (tmp_path / "mine.yaml").write_text("vectors: {a: {file: x}}")
    with pytest.raises(HRVError, match="mine.yaml"):
        fetch.registry(tmp_path / "mine.yaml")
