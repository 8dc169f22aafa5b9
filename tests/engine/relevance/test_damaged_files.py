"""Files that are no HRV file, or a damaged or hostile one: one sentence each, and nothing of them is believed."""

import json
import os
import tracemalloc

import numpy as np
import pytest

from hrv_engine.errors import HRVError
from hrv_engine.relevance import files

from .test_files import PARTS, foreign, header, per_step


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(HRVError, match="There is no HRV file .*nothing.safetensors"):
        files.load(tmp_path / "nothing.safetensors")


@pytest.mark.parametrize(
    "content", [b"", b"no tensors", b"\x00" * 64, b"\xff" * 8 + b"{}", (b"\x02" + b"\x00" * 7 + b"{}")[:9]]
)
def test_a_file_that_is_no_safetensors_is_refused_and_named(tmp_path, content):
    path = tmp_path / "hrv.safetensors"
    path.write_bytes(content)
    with pytest.raises(HRVError, match="hrv.safetensors.*fetch it again"):
        files.load(path)


def test_a_folder_in_place_of_a_file_is_refused(tmp_path):
    with pytest.raises(HRVError, match="fetch it again"):
        files.load(tmp_path)


def test_a_file_cut_anywhere_is_refused(tmp_path):
    path = tmp_path / "hrv.safetensors"
    files.save(path, per_step())
    whole = path.read_bytes()
    for length in range(0, len(whole), 97):
        path.write_bytes(whole[:length])
        with pytest.raises(HRVError, match="hrv.safetensors"):
            files.load(path)


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        {"format": "pt"},
        {"hrv": "not json"},
        {"hrv": "[1]"},
        {"hrv": '{"format": "lora"}'},
        {"hrv": json.dumps(header(version="one"))},
    ],
)
def test_a_safetensors_file_of_something_else_is_refused_as_foreign(tmp_path, metadata):
    foreign(tmp_path / "lora.safetensors", metadata, weight=np.ones((2, 8), np.float32))
    with pytest.raises(HRVError, match="lora.safetensors.*not one of Head Relevance Vectors.*checkpoint or a LoRA"):
        files.load(tmp_path / "lora.safetensors")


def test_a_foreign_file_is_refused_before_its_tensors_are_read(tmp_path):
    """A bfloat16 checkpoint: numpy cannot even hold its tensors."""
    meta = json.dumps({"w": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}).encode()
    (tmp_path / "sd.safetensors").write_bytes(len(meta).to_bytes(8, "little") + meta + b"\x00" * 4)
    with pytest.raises(HRVError, match="not one of Head Relevance Vectors"):
        files.load(tmp_path / "sd.safetensors")


def test_a_file_of_a_newer_version_asks_for_an_update(tmp_path):
    metadata = {"hrv": json.dumps(header(version=files.VERSION + 1))}
    foreign(tmp_path / "new.safetensors", metadata, votes=np.ones((2, 8), np.int64))
    with pytest.raises(HRVError, match=f"newer version.*{files.VERSION + 1}.*Update"):
        files.load(tmp_path / "new.safetensors")


@pytest.mark.parametrize(
    "changes, tensors",
    [
        ({}, {"weights": np.ones((2, 8), np.float32)}),
        ({}, {"votes": np.ones((2, 7), np.int64)}),
        ({}, {"votes": np.ones((2, 8), np.float32)}),
        ({}, {"relevance": np.full((2, 8), np.nan, np.float32)}),
        ({}, {"relevance": np.ones((2, 8), np.float32), "orders": np.zeros((2, 8), np.int32)}),
        ({"concepts": {"name": "x"}}, {"votes": np.ones((2, 8), np.int64)}),
        ({"concepts": {"name": "x", "concepts": [["Color"]]}}, {"votes": np.ones((2, 8), np.int64)}),
        ({"concepts": None}, {"votes": np.ones((2, 8), np.int64)}),
        ({"layout": [["input", 1]]}, {"votes": np.ones((2, 8), np.int64)}),
        ({"parts": 5}, {"votes": np.ones((2, 8), np.int64)}),
    ],
)
def test_a_file_whose_header_and_tensors_do_not_agree_is_called_damaged(tmp_path, changes, tensors):
    foreign(tmp_path / "odd.safetensors", {"hrv": json.dumps(header(**changes))}, **tensors)
    with pytest.raises(HRVError, match="odd.safetensors may be damaged"):
        files.load(tmp_path / "odd.safetensors")


VOTES = np.ones((2, 8), np.int64)


def negative(place=(0, 0)) -> np.ndarray:
    votes = VOTES.copy()
    votes[place] = -1
    return votes


@pytest.mark.parametrize(
    "changes, tensors, said",
    [
        ({}, {"votes": VOTES.astype(np.int8)}, "must be I64 or I32 .*not I8"),
        ({}, {"votes": VOTES.astype(np.uint64)}, "not U64"),
        ({}, {"votes": VOTES.astype(bool)}, "not BOOL"),
        ({}, {"votes": VOTES.astype(np.float16)}, "not F16"),
        ({}, {"votes": negative()}, "votes are numbers from 0 .*-1"),
        ({}, {"votes": VOTES * 2**62}, "votes are numbers from 0"),
        ({}, {"votes": VOTES[None]}, r"shape \[2, 8\], not I64 \[1, 2, 8\]"),
        ({}, {"votes": VOTES, "votes_per_step": VOTES}, r"shape \[any, 2, 8\]"),
        ({}, {"votes": VOTES, "votes_per_step": np.stack([VOTES, VOTES])}, "do not add up"),
        ({}, {"votes": VOTES, "votes_per_step": np.stack([VOTES * 2, -VOTES])}, "votes per step must be"),
        ({}, {"votes": VOTES, "votes_per_step": VOTES[None].astype(np.float32)}, "not F32"),
        ({}, {"votes": VOTES, "votes_per_step": np.zeros((0, 2, 8), np.int64)}, "votes per step must be"),
        ({"parts": []}, {"votes": VOTES}, "votes without images"),
        ({}, {"votes": VOTES * 0}, "images without votes"),
        ({"parts": [PARTS[0] | {"images": 0}]}, {"votes": VOTES}, "no part of 0 images"),
        ({"parts": [PARTS[0] | {"images": 2**63}]}, {"votes": VOTES}, "more than its votes"),
        ({"parts": [PARTS[0] | {"images": 17}]}, {"votes": VOTES}, "it claims 17 images"),
        ({"parts": [PARTS[0] | {"images": 3_000_000}]}, {"votes": VOTES * 10**6}, "it claims 3000000 images"),
        ({"parts": [PARTS[0] | {"start": -1}]}, {"votes": VOTES}, "from image -1"),
        ({"parts": [PARTS[0] | {"images": "4"}]}, {"votes": VOTES}, "numbers `seed`"),
        ({"parts": [PARTS[0] | {"images": True}]}, {"votes": VOTES}, "numbers `seed`"),
        ({"parts": [*PARTS, PARTS[0] | {"start": 3}]}, {"votes": VOTES}, "counts images twice"),
        ({"parts": {}}, {"votes": VOTES}, "parts must be a list"),
        ({"recipe": [1]}, {"votes": VOTES}, "recipe must be a mapping"),
        ({"recipe": {"steps": [1]}}, {"votes": VOTES}, "a build setting"),
        ({"source": "the web"}, {"votes": VOTES}, "source must be a mapping"),
        ({"layout": [["input", 1, 0, 0, 4], ["middle", 0, 0, 8, 4]]}, {"votes": VOTES}, "head layout"),
        ({"layout": [["input", 1, 0, -8, 4], ["middle", 0, 0, 16, 4]]}, {"votes": VOTES}, "head layout"),
        ({"layout": [["input", 1, 0, 4.0, 4], ["middle", 0, 0, 4, 4]]}, {"votes": VOTES}, "head layout"),
        ({"layout": [["input", 1, 0, 4, 4], ["input", 1, 0, 4, 4]]}, {"votes": VOTES}, "each layer once"),
        ({"layout": [["input", 1, 0, 10**9, 4]]}, {"votes": VOTES}, "at most 1000000 heads"),
        ({"layout": []}, {"votes": VOTES}, "head layout"),
        ({"concepts": {"name": 5, "concepts": [["A", ["a"]], ["B", ["b"]]]}}, {"votes": VOTES}, "a name and a list"),
        ({"concepts": {"name": "x", "concepts": [["A", "a"], ["B", "b"]]}}, {"votes": VOTES}, "a name and a list"),
        ({"concepts": {"name": "x", "concepts": [["A", [1]], ["B", ["b"]]]}}, {"votes": VOTES}, "a name and a list"),
        ({"logit_count": -1}, {"votes": VOTES, "logit_total": np.ones(8), "logit_squares": np.ones(8)}, "logit_count"),
        ({"logit_count": 1}, {"votes": VOTES, "logit_total": np.ones(8)}, "logit_squares"),
        (
            {"logit_count": 1},
            {"votes": VOTES, "logit_total": np.full(8, np.nan), "logit_squares": np.ones(8)},
            "logit scale are damaged",
        ),
        ({}, {"relevance": VOTES.astype(np.float16)}, "must be F32 or F64"),
        ({}, {"relevance": np.full((2, 8), 1e300)}, "NaN or infinity"),
        ({}, {"relevance": VOTES.astype(np.float32), "orders": negative().astype(np.int32)}, "head order"),
    ],
)
def test_votes_and_vectors_that_no_build_writes_are_refused_in_one_sentence(tmp_path, changes, tensors, said):
    foreign(tmp_path / "odd.safetensors", {"hrv": json.dumps(header(**({"parts": PARTS} | changes)))}, **tensors)
    with pytest.raises(HRVError, match=f"odd.safetensors may be damaged.*{said}"):
        files.load(tmp_path / "odd.safetensors")


def raw(path, text: bytes | str, size: int = 0, length: int | None = None) -> None:
    """A safetensors file with this header and `size` bytes of holes after it."""
    text = text.encode() if isinstance(text, str) else text
    path.write_bytes((len(text) if length is None else length).to_bytes(8, "little") + text)
    os.truncate(path, path.stat().st_size + size)


def entry(dtype: str, shape: list[int], start: int, end: int) -> dict:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"a":' * 50_000,
        "[" + "9" * 5000 + "]",
        '{"votes": {"dtype": "I64", "shape": [1e999], "data_offsets": [0, 8]}}',
        '{"votes": {"dtype": "I64", "shape": [NaN], "data_offsets": [0, 8]}}',
        '{"votes": {"dtype": "I64", "shape": [-1], "data_offsets": [0, 8]}}',
        '{"votes": {"dtype": "I64", "shape": [true], "data_offsets": [0, 8]}}',
        '{"votes": {"dtype": ["I64"], "shape": [1], "data_offsets": [0, 8]}}',
        '{"votes": {"dtype": "I64", "shape": [1], "data_offsets": [8, 0]}}',
        '{"votes": {"dtype": "I64", "shape": [1], "data_offsets": [0]}}',
        '{"votes": 5}',
        '{"__metadata__": 5}',
        "[]",
        "5",
        '{"__metadata__": {"hrv": ["a"]}}',
        '{"__metadata__": {"hrv": "\\ud83c"}}',
        b"\xff\xfe{}",
    ],
    ids=range(17),
)
def test_a_broken_header_is_refused_in_one_sentence(tmp_path, text):
    raw(tmp_path / "broken.safetensors", text, 8)
    with pytest.raises(HRVError, match="broken.safetensors is not a readable safetensors file") as error:
        files.load(tmp_path / "broken.safetensors")
    assert len(str(error.value)) < 500


@pytest.mark.parametrize("text", ["[" * 100_000, '{"format": ' + "9" * 5000 + "}", '{"version": 1e999}', "NaN"])
def test_broken_metadata_are_no_hrv_file(tmp_path, text):
    foreign(tmp_path / "broken.safetensors", {"hrv": text}, votes=VOTES)
    with pytest.raises(HRVError, match="not one of Head Relevance Vectors"):
        files.load(tmp_path / "broken.safetensors")


@pytest.mark.parametrize("dtype", ["BF16", "F8_E4M3", "F8_E5M2", "C64", "no such", ""])
def test_votes_of_a_type_numpy_lacks_are_refused(tmp_path, dtype):
    text = {"__metadata__": {"hrv": json.dumps(header(parts=PARTS))}, "votes": entry(dtype, [2, 8], 0, 32)}
    raw(tmp_path / "odd.safetensors", json.dumps(text), 32)
    with pytest.raises(HRVError, match=f"must be I64 or I32.*not {dtype}"):
        files.load(tmp_path / "odd.safetensors")


GIGABYTES = 2_700_000_000


@pytest.mark.parametrize(
    "tensors",
    [
        {"votes": entry("I64", [2, GIGABYTES // 16], 0, GIGABYTES)},
        {"votes": entry("I64", [2, 8], 0, GIGABYTES)},
        {
            "votes": entry("I64", [2, 8], 0, 128),
            "votes_per_step": entry("I64", [GIGABYTES // 128, 2, 8], 128, 128 + GIGABYTES // 128 * 128),
        },
    ],
)
def test_a_sparse_file_of_gigabytes_is_refused_before_anything_of_it_is_read(tmp_path, tensors):
    size = max(tensor["data_offsets"][1] for tensor in tensors.values())
    text = {"__metadata__": {"hrv": json.dumps(header(parts=PARTS))}, **tensors}
    raw(tmp_path / "huge.safetensors", json.dumps(text), size)
    tracemalloc.start()
    try:
        with pytest.raises(HRVError, match="huge.safetensors may be damaged"):
            files.load(tmp_path / "huge.safetensors")
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_foreign_tensors_beside_the_votes_are_not_read(tmp_path):
    votes = VOTES.astype("<i8").tobytes()
    text = {"__metadata__": {"hrv": json.dumps(header(parts=PARTS))}, "votes": entry("I64", [2, 8], 0, 128)}
    text["weights"] = entry("BF16", [GIGABYTES // 2], 128, 128 + GIGABYTES)
    path = tmp_path / "both.safetensors"
    raw(path, json.dumps(text))
    with path.open("ab") as file:
        file.write(votes)
    os.truncate(path, path.stat().st_size + GIGABYTES)
    tracemalloc.start()
    try:
        assert (files.load(path).votes.counts == VOTES).all()
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("offsets", [[(0, 128), (64, 192)], [(0, 128), (136, 264)], [(8, 136), (136, 264)]])
def test_tensors_that_overlap_or_leave_gaps_are_refused(tmp_path, offsets):
    tensors = {name: entry("I64", [2, 8], *place) for name, place in zip(("votes", "more"), offsets, strict=True)}
    text = {"__metadata__": {"hrv": json.dumps(header(parts=PARTS))}, **tensors}
    raw(tmp_path / "odd.safetensors", json.dumps(text), offsets[-1][1])
    with pytest.raises(HRVError, match="overlap or leave gaps"):
        files.load(tmp_path / "odd.safetensors")
