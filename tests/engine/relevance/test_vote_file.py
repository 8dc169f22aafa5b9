"""One vote file, several builds: every image counted once, whatever is killed, replaced or locked meanwhile."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from comfyui_hrv.tests.engine.examples import ballot, random_counts
from hrv_engine.errors import HRVError
from hrv_engine.relevance import files
from hrv_engine.relevance.vote_file import VoteFile
from hrv_engine.storage import atomic, locks

from .vote_writer import image

EMPTY = image(0).emptied()
posix = pytest.mark.skipif(os.name == "nt", reason="forks and signals")


class Nursery:
    """A running vote_writer."""

    def __init__(self) -> None:
        script = Path(__file__).with_name("vote_writer.py")
        self.process = subprocess.Popen(
            [sys.executable, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def start(self, path: Path, first: int, end: int) -> None:
        self.process.stdin.write(f"{path} {first} {end}\n")
        self.process.stdin.flush()

    def line(self) -> str:
        return self.process.stdout.readline().strip()

    def numbers_until_gone(self) -> list[int]:
        """The images that are safe, as far as the writer said; its process is found in `child`."""
        told: list[int] = []
        while (line := self.line()) != "gone":
            assert line, "the writer ended"
            if line.startswith("process"):
                self.child = int(line.split()[1])
            else:
                told.append(int(line))
        return told

    def close(self) -> None:
        self.process.stdin.close()
        assert self.process.wait(20) == 0


@pytest.fixture
def nurseries():
    started = [Nursery(), Nursery()]
    assert [nursery.line() for nursery in started] == ["ready", "ready"]
    yield started
    for nursery in started:
        nursery.close()


def numbers(votes) -> list[int]:
    return [number for part in votes.parts for number in range(part.start, part.end)]


def is_sum_of_its_images(path: Path) -> list[int]:
    """The images of a file, after checking that its votes are theirs, each once."""
    votes = files.load(path).votes
    counted = numbers(votes)
    assert len(counted) == len(set(counted))
    assert (votes.counts == sum(image(number).counts for number in counted)).all()
    return counted


@posix
def test_two_processes_that_write_one_file_20_times_count_every_image_once(tmp_path, nurseries):
    for turn in range(20):
        path = tmp_path / f"shared {turn}.safetensors"
        for nursery, first in zip(nurseries, (0, 5), strict=True):
            nursery.start(path, first, first + 5)
        told = [nursery.numbers_until_gone() for nursery in nurseries]
        assert told == [list(range(5)), list(range(5, 10))]
        assert is_sum_of_its_images(path) == list(range(10))
    assert len(os.listdir(tmp_path)) == 20, "no lock and no unfinished file stays"


@posix
def test_two_processes_that_build_the_same_images_count_them_once(tmp_path, nurseries):
    for first in (0, 7):
        nurseries[bool(first)].start(tmp_path / "same.safetensors", first, first + 15)
    for nursery in nurseries:
        nursery.numbers_until_gone()
    assert is_sum_of_its_images(tmp_path / "same.safetensors") == list(range(22))


@posix
def test_a_writer_killed_at_30_random_moments_loses_nothing_it_reported(tmp_path, nurseries):
    path, chance, safe, nursery = tmp_path / "killed.safetensors", random.Random(7), set(), nurseries[0]
    for turn in range(30):
        nursery.start(path, 0, 1000)
        process = int(nursery.line().removeprefix("process "))
        time.sleep(chance.uniform(0, 0.15))
        os.kill(process, signal.SIGKILL)
        safe |= set(nursery.numbers_until_gone())
        counted = is_sum_of_its_images(path) if path.exists() else []
        assert safe <= set(counted), f"kill {turn}"
    assert safe, "some moments come after a save"
    nursery.start(path, max(safe) + 1, max(safe) + 3)
    nursery.numbers_until_gone()
    assert os.listdir(tmp_path) == [path.name], "orphans are swept at the next save"


def test_what_another_build_saved_meanwhile_is_kept(tmp_path):
    path = tmp_path / "shared.safetensors"
    one, other = VoteFile(path, EMPTY), VoteFile(path, EMPTY)
    one.add([image(0)])
    other.add([image(1)])
    assert numbers(one.add([image(2)])) == numbers(files.load(path).votes) == [0, 1, 2]


def test_a_batch_that_another_build_counted_in_part_is_left_out_and_can_be_asked_for_again(tmp_path):
    path = tmp_path / "shared.safetensors"
    one, other = VoteFile(path, EMPTY), VoteFile(path, EMPTY)
    other.add([image(1)])
    votes = one.add([image(0) + image(1), image(2) + image(3)])
    assert numbers(votes) == [1, 2, 3] and is_sum_of_its_images(path) == [1, 2, 3]


def test_a_file_that_was_removed_meanwhile_comes_back_whole(tmp_path):
    path = tmp_path / "removed.safetensors"
    file = VoteFile(path, EMPTY)
    file.add([image(0)])
    path.unlink()
    file.add([image(1)])
    assert is_sum_of_its_images(path) == [0, 1]


def test_two_builds_that_start_over_replace_the_old_file_but_not_each_other(tmp_path):
    path = tmp_path / "over.safetensors"
    files.save(path, image(9).relevance())
    builds = [VoteFile(path, EMPTY, resume=False) for _ in range(2)]
    for number, build in enumerate(builds):
        build.add([image(number)])
    assert is_sum_of_its_images(path) == [0, 1]


def test_votes_go_under_another_name_when_a_foreign_file_has_taken_the_place(tmp_path):
    path = tmp_path / "taken.safetensors"
    file = VoteFile(path, EMPTY)
    file.add([image(0)])
    files.save(path, ballot(random_counts(5), recipe={"steps": 3}).relevance())
    with pytest.raises(HRVError, match="built differently.*votes counted here are kept in taken-.*safetensors"):
        file.add([image(1)])
    (beside,) = set(tmp_path.iterdir()) - {path}
    assert is_sum_of_its_images(beside) == [0, 1]
    assert files.load(path).votes.recipe == {"steps": 3}


def test_a_lock_that_another_holds_is_waited_for_and_then_named(tmp_path):
    path = tmp_path / "held.safetensors"
    with (
        locks.locked(path),
        pytest.raises(HRVError, match="held.safetensors cannot be saved now.*another build"),
        locks.locked(path, 0.1),
    ):
        pass
    with locks.locked(path, 0):
        pass
    assert os.listdir(tmp_path) == []


@posix
def test_the_lock_of_a_dead_process_is_taken_over(tmp_path):
    path = tmp_path / "dead.safetensors"
    holder = os.fork()
    if holder == 0:
        lock = locks.locked(path)
        lock.__enter__()
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(holder, 0)
    assert locks.lock_path(path).exists()
    with locks.locked(path, 0):
        pass
    assert os.listdir(tmp_path) == []


@posix
def test_only_our_unfinished_files_of_dead_processes_and_old_ones_are_swept(tmp_path):
    gone = subprocess.Popen(["true"])
    gone.wait()
    letters = "0" * 32
    dead, alive = f".hrv-{atomic.HERE}-{gone.pid}-{letters}.part", f".hrv-{atomic.HERE}-{os.getpid()}-{letters}.part"
    elsewhere, early, theirs = f".hrv-00000000-{gone.pid}-{letters}.part", f".{letters}.part", "video.mp4.part"
    for name in (dead, alive, elsewhere, early, theirs):
        (tmp_path / name).touch()
    atomic.sweep(tmp_path)
    assert set(os.listdir(tmp_path)) == {alive, elsewhere, early, theirs}
    long_ago = time.time() - 2 * atomic.OLD
    for name in (alive, elsewhere, early, theirs):
        os.utime(tmp_path / name, (long_ago, long_ago))
    atomic.sweep(tmp_path)
    assert set(os.listdir(tmp_path)) == {theirs}
