"""Numbers from a .npy file whose header is checked before anything is read; no Python objects, no code."""

import math
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..errors import HRVError, first_line

LONGEST = 4096  # bytes of a header; that of a table of numbers has about 100


def read_array(path: Path, kinds: str, shape: tuple[int, int]) -> np.ndarray:
    """The numbers [rows columns] of a file, which may leave out the rows if there is one; raises HRVError otherwise.

    kinds: letters of numpy's kinds of numbers, such as "fiu".
    """
    try:
        with path.open("rb") as file:
            found, fortran, dtype = _header(file)
            if dtype.kind not in kinds:
                wanted = "numbers" if "f" in kinds else "whole numbers"
                raise HRVError(
                    f"{path.name} holds {str(dtype)[:40]} entries, not {wanted}."
                    " Choose the file of vectors (category_vectors_... or ..._ranking_list), and as order file one of"
                    " head indices."
                )
            if found != shape and (shape[0] != 1 or found != shape[1:]):
                raise HRVError(
                    f"{path.name} has the shape {_short(found)}, but these concepts and this model need {shape}, a row"
                    " a concept and a column a head. Choose the concept set and the model it was made with."
                )
            size = math.prod(found) * dtype.itemsize
            payload = file.read(size)
    except OSError as error:
        raise HRVError(f"{path} cannot be read: {first_line(error)}.") from error
    except HRVError:
        raise
    except Exception as error:  # numpy hands the header to Python's parser, which raises what it likes
        raise HRVError(
            f"{path.name} is not a plain .npy array ({first_line(error, 100)}). Files with Python objects (pickles) can"
            " run code and are refused; save the numbers with numpy.save(..., allow_pickle=False)."
        ) from error
    if len(payload) != size:
        raise HRVError(f"{path.name} is cut: {len(payload)} of {size} bytes of numbers are there. Fetch it again.")
    return np.frombuffer(payload, dtype).reshape(shape, order="F" if fortran else "C")


def _header(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype]:
    """(shape, whether columns come first, type of an entry); ValueError or what numpy raises."""
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"its version is {version}")
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(file, max_header_size=LONGEST)
    if dtype.hasobject:
        raise ValueError("it holds Python objects")
    if any(type(length) is not int or length < 0 for length in shape):
        raise ValueError("its shape is damaged")
    return shape, fortran, dtype


def _short(shape: tuple[int, ...]) -> str:
    return str(shape) if len(shape) <= 8 and all(length < 10**12 for length in shape) else f"of {len(shape)} dimensions"
