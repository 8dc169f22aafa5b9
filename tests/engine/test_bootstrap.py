"""What a person reads when the environment cannot be set up: one paragraph that says why and what to do."""

from __future__ import annotations

import hashlib
import sys

import pytest

from comfyui_hrv.tools import bootstrap


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
