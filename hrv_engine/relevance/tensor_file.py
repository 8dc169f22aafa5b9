"""Tensors of a safetensors file, read one by one after the whole header was checked; nothing else is loaded."""

import math
import os
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from ..storage import plain_json

MOST_HEADER = 16 << 20  # bytes; 20,000 concepts take 4 MB
DTYPES = {"I64": "<i8", "I32": "<i4", "F64": "<f8", "F32": "<f4"}  # of those that HRV files have


@dataclass(frozen=True)
class Entry:
    """Where a tensor lies: its type as safetensors names it, its shape, first and last byte after the header."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int

    @classmethod
    def of(cls, data: Any) -> "Entry":
        """The entry of a header; ValueError for anything else."""
        if not isinstance(data, dict) or set(data) != {"dtype", "shape", "data_offsets"}:
            raise ValueError("a tensor's entry has no dtype, shape and data_offsets")
        dtype, shape, offsets = data["dtype"], data["shape"], data["data_offsets"]
        numbers = isinstance(shape, list) and isinstance(offsets, list) and all(map(_is_size, [*shape, *offsets]))
        if not isinstance(dtype, str) or not numbers or len(offsets) != 2:
            raise ValueError("a tensor's dtype, shape or data_offsets are damaged")
        return cls(dtype, tuple(shape), *offsets)


class TensorFile:
    """An open safetensors file, its header checked. ValueError for one whose header or length is damaged."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, size = file, os.fstat(file.fileno()).st_size
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= min(MOST_HEADER, size - 8):
            raise ValueError(f"its header claims {length} of its {size} bytes")
        header = plain_json.parse(file.read(length).decode("utf-8"))
        if not isinstance(header, dict):
            raise ValueError("its header is no mapping")
        self.metadata = header.pop("__metadata__", {})
        if not isinstance(self.metadata, dict) or any(not isinstance(text, str) for text in self.metadata.values()):
            raise ValueError("its metadata are no mapping of texts")
        for text in (*header, *self.metadata, *self.metadata.values()):
            text.encode("utf-8")  # half of a character, which JSON can write, is a ValueError
        self.entries = {name: Entry.of(data) for name, data in header.items()}
        self._data = 8 + length
        end = 0
        for entry in sorted(self.entries.values(), key=lambda entry: (entry.start, entry.end)):
            if entry.start != end or entry.end < entry.start:
                raise ValueError("its tensors overlap or leave gaps")
            end = entry.end
        if self._data + end != size:
            raise ValueError(f"it has {size} bytes instead of {self._data + end}")

    def read(self, name: str, dtypes: tuple[str, ...], shape: tuple[int | None, ...], most: int) -> np.ndarray:
        """A tensor of one of these types, of this shape (None: any length), of at most `most` bytes; else ValueError.

        Nothing is read before this is checked.
        """
        entry = self.entries[name]
        fits = len(entry.shape) == len(shape) and all(
            wanted in (None, length) for wanted, length in zip(shape, entry.shape, strict=True)
        )
        if entry.dtype not in dtypes or not fits:
            described = ", ".join("any" if wanted is None else str(wanted) for wanted in shape)
            raise ValueError(
                f"`{name}` must be {' or '.join(dtypes)} of shape [{described}], not {entry.dtype[:20]}"
                f" {list(entry.shape[:6])}"
            )
        dtype = np.dtype(DTYPES[entry.dtype])
        size = math.prod(entry.shape) * dtype.itemsize
        if size != entry.end - entry.start:
            raise ValueError(f"`{name}` has {entry.end - entry.start} bytes instead of {size}")
        if size > most:
            raise ValueError(f"`{name}` has {size} bytes, more than the {most} that are read")
        self._file.seek(self._data + entry.start)
        payload = self._file.read(size)
        if len(payload) != size:
            raise ValueError(f"`{name}` is cut")
        return np.frombuffer(payload, dtype).reshape(entry.shape)


def _is_size(value: Any) -> bool:
    return type(value) is int and value >= 0
