"""The HRV file: round trips, the same bytes every time, damaged and foreign files, and a full disk."""

import errno
import json
import os
import resource
import stat

import numpy as np
import pytest
from safetensors.numpy import save_file

from comfyui_hrv.tests.engine.examples import ballot, concept_set, random_counts, sd1_layout, small_layout
from hrv_engine.errors import HRVError
from hrv_engine.relevance import files
from hrv_engine.relevance.relevance import HeadRelevance, HeadVotes

ORDERS = np.argsort(-random_counts(2), axis=1, kind="stable")


def voted() -> HeadRelevance:
    return ballot(random_counts(1)).relevance()


def per_step() -> HeadRelevance:
    steps = np.stack([random_counts(1), random_counts(2)])
    return ballot(steps.sum(axis=0), per_step=steps).relevance()


def imported() -> HeadRelevance:
    concepts = concept_set("Color", "Été", "夏")
    source = {"imported_from": "vectors.npy"}
    return HeadRelevance(random_counts(2).astype(np.float32), concepts, small_layout(), orders=ORDERS, source=source)


@pytest.mark.parametrize("make", [voted, per_step, imported])
def test_a_file_gives_back_everything_that_was_saved(tmp_path, make):
    before, path = make(), tmp_path / "deep" / "er" / "hrv.safetensors"
    files.save(path, before)
    after = files.load(path)
    assert (after.values == before.values).all() and after.values.dtype == np.float32
    assert (after.concepts, after.layout, after.source) == (before.concepts, before.layout, before.source)
    for concept in before.concepts.names:
        assert (after.order(concept) == before.order(concept)).all()
    if before.votes is None:
        assert after.votes is None
        return
    assert (after.votes.counts == before.votes.counts).all() and after.votes.counts.dtype == np.int64
    assert (after.votes.recipe, after.votes.parts) == (before.votes.recipe, before.votes.parts)
    assert (after.votes.per_step is None) == (before.votes.per_step is None)
    assert before.votes.per_step is None or (after.votes.per_step == before.votes.per_step).all()
    assert (after.votes + ballot(random_counts(3), start=4, per_step=before.votes.per_step)).images == 8


@pytest.mark.parametrize("make", [voted, per_step, imported])
def test_the_same_vectors_are_the_same_bytes_also_after_a_round_trip(tmp_path, make):
    one, other = tmp_path / "one.safetensors", tmp_path / "other.safetensors"
    files.save(one, make())
    files.save(other, files.load(one))
    assert one.read_bytes() == other.read_bytes()


def test_the_order_in_which_settings_were_written_down_does_not_change_the_file(tmp_path):
    paths = [tmp_path / "one.safetensors", tmp_path / "other.safetensors"]
    for path, turn in zip(paths, (1, -1), strict=True):
        votes = ballot(random_counts(1))
        files.save(path, ballot(votes.counts, recipe=dict(list(votes.recipe.items())[::turn])).relevance())
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_clamped_and_shuffled_vectors_are_saved_as_they_are(tmp_path):
    for changed in (voted().clamped(1.2), voted().shuffled(1)):
        files.save(tmp_path / "hrv.safetensors", changed)
        assert (files.load(tmp_path / "hrv.safetensors").values == changed.values).all()


def test_a_saved_file_has_the_permissions_of_any_new_file(tmp_path):
    files.save(tmp_path / "hrv.safetensors", voted())
    (tmp_path / "plain").touch()
    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert len(modes) == 1


def header(**changes) -> dict:
    own = {"format": files.FORMAT, "version": files.VERSION, "source": {}}
    return own | {"concepts": concept_set("Color", "Shape").to_json(), "layout": small_layout().to_json()} | changes


def foreign(path, metadata, **tensors) -> None:
    save_file(tensors, path, metadata)


PARTS = [{"prompts": "quick", "digest": "d1", "seed": 0, "start": 0, "images": 4}]


def test_votes_of_32_bits_are_read_as_64_so_that_sums_do_not_wrap(tmp_path):
    votes = np.full((2, 8), 2**31 - 1, np.int32)
    foreign(tmp_path / "short.safetensors", {"hrv": json.dumps(header(parts=PARTS))}, votes=votes)
    counts = files.load(tmp_path / "short.safetensors").votes.counts
    assert counts.dtype == np.int64 and ((counts + counts) == 2 * (2**31 - 1)).all()


def test_a_build_whose_file_could_not_be_read_again_is_refused_before_it_starts():
    concepts = concept_set(*(f"C{number}" for number in range(34)))
    with pytest.raises(HRVError, match="in 9000 steps take .*fewer concepts, or switch per_timestep off"):
        HeadVotes.none(concepts, sd1_layout(), {}, 9000)


def full_disk(*_args, **_kwargs):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file_whole_and_no_litter(tmp_path, monkeypatch, call):
    path = tmp_path / "hrv.safetensors"
    files.save(path, voted())
    before = path.read_bytes()
    monkeypatch.setattr(os, call, full_disk)
    with pytest.raises(HRVError) as error:
        files.save(path, per_step())
    assert all(part in str(error.value) for part in ("hrv.safetensors", "No space left", "is intact", "Free some disk"))
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["hrv.safetensors"]


def test_a_write_that_the_system_stops_halfway_leaves_the_old_file_whole_and_no_litter(tmp_path):
    path = tmp_path / "hrv.safetensors"
    files.save(path, voted())
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (256, limits[1]))  # bytes a file of this process may have
    try:
        with pytest.raises(HRVError, match="File too large.*is intact"):
            files.save(path, per_step())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["hrv.safetensors"]


def test_an_interrupted_save_leaves_the_old_file_whole_and_no_litter(tmp_path, monkeypatch):
    path = tmp_path / "hrv.safetensors"
    files.save(path, voted())
    before = path.read_bytes()

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        files.save(path, per_step())
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["hrv.safetensors"]


def test_a_place_where_nothing_can_be_written_is_refused_with_the_fix(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(HRVError, match="cannot be saved.*folder you may write to"):
        files.save(tmp_path / "file" / "hrv.safetensors", voted())


def test_a_file_of_sd1_size_is_small(tmp_path):
    concepts = concept_set(*(f"C{i}" for i in range(34)))
    votes = ballot(random_counts(1, 34, 128), concepts=concepts, layout=sd1_layout())
    files.save(tmp_path / "sd1.safetensors", votes.relevance())
    assert (tmp_path / "sd1.safetensors").stat().st_size < 50_000
