"""The store of an experiment: what counts as done, and what is done again because it is damaged."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from hrv_engine.errors import HRVError
from hrv_engine.experiments import plan
from hrv_engine.experiments.store import Store, digest, disk_full_errors

from .test_experiments import png


def test_a_job_counts_as_done_only_with_its_marker_and_only_for_the_same_prompt(tmp_path: Path):
    store, asked = Store(tmp_path), digest({"1": {"class_type": "A", "inputs": {}}})
    assert not store.done("one", asked) and not store.finished("one")
    store.save("one", asked, {"plain": [png(tmp_path, 0), png(tmp_path, 255)]}, {"table": "x"})
    assert store.done("one", asked) and store.finished("one") and store.texts("one") == {"table": "x"}
    assert store.pictures("one", "plain").shape == (2, 4, 4, 3) and float(store.pictures("one", "plain")[1].min()) == 1
    assert not store.done("one", digest({"1": {"class_type": "B", "inputs": {}}}))
    (store.job("one") / "done.json").write_text("{half", encoding="utf-8")
    assert not store.done("one", asked) and store.texts("one") == {}


def test_scores_are_kept_beside_the_images_and_go_with_them(tmp_path: Path):
    store, asked = Store(tmp_path), "x"
    store.save("one", asked, {"plain": [png(tmp_path, 0)]}, {})
    assert store.kept("one", "clip", lambda: [0.25]) == [0.25]
    assert store.kept("one", "clip", lambda: [0.5]) == [0.25]
    assert store.kept("one", "other", lambda: [0.5]) == [0.5]
    store.save("one", asked, {"plain": [png(tmp_path, 9)]}, {})
    assert store.kept("one", "clip", lambda: [0.5]) == [0.5]


def saved(tmp_path: Path) -> Store:
    store = Store(tmp_path)
    store.save("one", "x", {"plain": [png(tmp_path, 0), png(tmp_path, 255)]}, {"table": "y"})
    assert store.done("one", "x", ["plain", "table"]) and store.finished("one", ["plain", "table"])
    return store


MARKERS = {
    "empty": b"",
    "no entries": b"{}",
    "null": b"null",
    "a list": b"[]",
    "the prompt alone": b'{"prompt": "x"}',
    "not UTF-8": b"\xff\xfe",
    "deep": b"[" * 100_000,
    "a long number": b'{"prompt": ' + b"9" * 5000 + b"}",
    "a number for a prompt": b'{"prompt": 5, "pictures": {}, "texts": {}}',
    "a text for images": b'{"prompt": "x", "pictures": {"plain": "a.png"}, "texts": {"table": "y"}}',
    "no images": b'{"prompt": "x", "pictures": {"plain": []}, "texts": {"table": "y"}}',
    "no texts": b'{"prompt": "x", "pictures": {"plain": ["plain_0.png"]}, "texts": {}}',
    "an image elsewhere": b'{"prompt": "x", "pictures": {"plain": ["../../one.png"]}, "texts": {"table": "y"}}',
}


@pytest.mark.parametrize("marker", MARKERS.values(), ids=MARKERS)
def test_a_job_with_a_damaged_marker_is_done_again(tmp_path: Path, marker: bytes):
    store = saved(tmp_path)
    (store.job("one") / "done.json").write_bytes(marker)
    assert not store.done("one", "x", ["plain", "table"]) and not store.finished("one", ["plain", "table"])


def test_a_job_whose_texts_were_changed_is_done_again(tmp_path: Path):
    store = saved(tmp_path)
    marker = store.job("one") / "done.json"
    marker.write_text(marker.read_text(encoding="utf-8").replace('"y"', '"z"'), encoding="utf-8")
    assert not store.done("one", "x") and store.texts("one") == {}


@pytest.mark.parametrize("hashed", [True, False], ids=["hashed", "as saved before"])
@pytest.mark.parametrize("damage", ["missing", "cut", "empty", "a folder", "another byte"])
def test_a_job_with_a_damaged_image_is_done_again(tmp_path: Path, damage: str, hashed: bool):
    store = saved(tmp_path)
    image, marker = store.job("one") / "plain_1.png", store.job("one") / "done.json"
    if not hashed:
        data = json.loads(marker.read_text(encoding="utf-8"))
        del data["hashes"], data["whole"]
        marker.write_text(json.dumps(data), encoding="utf-8")
        assert store.done("one", "x", ["plain", "table"])
    whole = image.read_bytes()
    image.unlink()
    if damage == "a folder":
        image.mkdir()
    elif damage != "missing":
        middle = len(whole) // 2
        cut = {"cut": whole[:middle], "empty": b"", "another byte": whole[:middle] + b"\x00" + whole[middle + 1 :]}
        image.write_bytes(cut[damage])
    assert not store.done("one", "x") and not store.finished("one")


@pytest.mark.parametrize("scores", [b"[]", b"\xff", b"null", b"{half", b"[" * 100_000])
def test_damaged_scores_are_computed_again(tmp_path: Path, scores: bytes):
    store = saved(tmp_path)
    (store.job("one") / "scores.json").write_bytes(scores)
    assert store.kept("one", "clip", lambda: [0.5]) == [0.5]
    assert store.kept("one", "clip", lambda: [0.25]) == [0.5]


def test_images_are_on_the_disk_before_the_marker_is_written(tmp_path: Path, monkeypatch):
    synced, fsync = [], os.fsync

    def noted(handle: int) -> None:
        fsync(handle)
        names = sorted(path.name for path in Store(tmp_path).job("one").iterdir() if path.suffix != ".part")
        synced.append((os.path.isdir(f"/proc/self/fd/{handle}"), names))

    monkeypatch.setattr(os, "fsync", noted)
    saved(tmp_path)
    images = ["plain_0.png", "plain_1.png"]
    assert [names for folder, names in synced if not folder] == [images[:1], images, images]
    assert [names for folder, names in synced if folder] == [images, ["done.json", *images]]


def test_jobs_whose_names_must_be_shortened_keep_folders_of_their_own():
    texts = ["a" * 300 + "b", "a" * 300 + "c", "犬", "猫"]
    names = {plan.Job(plan.Case("g" * 300, text, 1, {}), "v" * 300).name for text in texts}
    assert len(names) == 4 and all(len(name) <= 200 for name in names)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_a_full_disk_is_said_in_words_and_leaves_the_job_undone(tmp_path: Path):
    store = Store(tmp_path)
    store.job("one").mkdir(parents=True)
    (store.job("one") / "plain_0.png").symlink_to("/dev/full")
    with pytest.raises(HRVError, match="no room left on the disk.*run the same command again"):
        store.save("one", "x", {"plain": [png(tmp_path, 0) * 100]}, {})
    assert not store.finished("one")
    with pytest.raises(FileNotFoundError), disk_full_errors():
        raise FileNotFoundError
