"""Arrays that are no vectors: pickles, cut and huge files, other shapes and numbers, refused before they are read."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from comfyui_hrv.tests.engine.examples import random_counts
from hrv_engine.errors import HRVError

from .test_published import imported, written


class Payload:
    """A pickle that would create a file when it is loaded."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("kind", ["object array", "bare pickle"])
def test_a_pickle_is_refused_and_its_code_never_runs(tmp_path, kind):
    path, trap = tmp_path / "vectors.npy", tmp_path / "trap"
    if kind == "object array":
        np.save(path, np.array([[Payload(trap)] * 8] * 3, dtype=object), allow_pickle=True)
    else:
        path.write_bytes(pickle.dumps(Payload(trap)))
    with pytest.raises(HRVError, match="vectors.npy.*pickles.*refused"):
        imported(path)
    assert not trap.exists()


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"PK\x03\x04", b"vectors"])
def test_a_file_that_is_no_npy_is_refused(tmp_path, content):
    (tmp_path / "vectors.npy").write_bytes(content)
    with pytest.raises(HRVError, match="vectors.npy is not a plain .npy"):
        imported(tmp_path / "vectors.npy")


def test_a_truncated_npy_and_an_npz_are_refused(tmp_path):
    whole = written(tmp_path / "v.npy", random_counts(1)).read_bytes()
    for length in range(0, len(whole), 13):
        (tmp_path / "cut.npy").write_bytes(whole[:length])
        with pytest.raises(HRVError, match="cut.npy"):
            imported(tmp_path / "cut.npy")
    np.savez(tmp_path / "v.npz", random_counts(1))
    with pytest.raises(HRVError, match="v.npz"):
        imported(tmp_path / "v.npz")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(HRVError, match="nothing.npy"):
        imported(tmp_path / "nothing.npy")


@pytest.mark.parametrize("shape", [(3, 9), (2, 8), (8,), (2, 3, 8), (3, 8, 1), ()])
def test_an_array_of_another_shape_is_refused_with_both_shapes(tmp_path, shape):
    with pytest.raises(HRVError, match=r"\(3, 8\)"):
        imported(written(tmp_path / "v.npy", np.ones(shape)))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_an_array_with_nan_or_infinity_is_refused(tmp_path, bad):
    values = random_counts(1).astype(np.float64)
    values[2, 5] = bad
    with pytest.raises(HRVError, match="NaN or infinity"):
        imported(written(tmp_path / "v.npy", values))


def test_an_array_of_texts_is_refused_and_told_which_file_to_choose(tmp_path):
    with pytest.raises(HRVError, match="category_vectors"):
        imported(written(tmp_path / "names.npy", np.full((3, 8), "down, layer: 0")))


def test_an_order_file_of_other_vectors_is_refused(tmp_path):
    vectors = written(tmp_path / "v.npy", random_counts(1))
    order = written(tmp_path / "o.npy", np.argsort(-random_counts(2), axis=1).astype(np.int16))
    with pytest.raises(HRVError, match="order file that belongs"):
        imported(vectors, order=order)
    right = written(tmp_path / "o.npy", np.argsort(-random_counts(1), axis=1).astype(np.int16))
    assert imported(vectors, order=right).order("Size")[0] == random_counts(1)[2].argmax()


def headed(path: Path, header: str, payload: bytes = b"") -> Path:
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + payload)
    return path


@pytest.mark.parametrize(
    "header",
    [
        "(" * 3000 + ")" * 3000,
        "{'descr': '<f8', 'fortran_order': False, 'shape': (3, " + "9" * 3000 + ")}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (3, -8)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (True, 8)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': 3}",
        "{'descr': '<f8', 'fortran_order': 5, 'shape': (3, 8)}",
        "{'descr': 'no such', 'fortran_order': False, 'shape': (3, 8)}",
        "{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (3, 8)}",
        "{'descr': '<f8', 'shape': (3, 8)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (3, 8)",
        "__import__('os')",
        "\x00" * 100,
    ],
    ids=range(12),
)
def test_a_broken_npy_header_is_refused_in_one_sentence(tmp_path, header):
    with pytest.raises(HRVError, match="v.npy") as error:
        imported(headed(tmp_path / "v.npy", header, b"\x00" * 192))
    assert len(str(error.value)) < 500


def test_a_huge_npy_is_refused_before_it_is_read(tmp_path):
    path = headed(tmp_path / "v.npy", "{'descr': '<f8', 'fortran_order': False, 'shape': (3, 100000000)}")
    os.truncate(path, 2_400_000_074)
    with pytest.raises(HRVError, match=r"\(3, 100000000\).*\(3, 8\)"):
        imported(path)


@pytest.mark.parametrize("number", [1e308, 1.7e308, 5e-324, 1e-310, 2.0])
def test_rows_of_the_largest_and_smallest_numbers_are_normalised_too(tmp_path, number):
    assert (imported(written(tmp_path / "v.npy", np.full((3, 8), number))).values == 1).all()


def test_columns_first_are_read_as_columns(tmp_path):
    counts = random_counts(1)
    path = written(tmp_path / "v.npy", np.asfortranarray(counts))
    np.testing.assert_allclose(imported(path).values, counts / counts.mean(axis=1, keepdims=True), rtol=1e-6)
