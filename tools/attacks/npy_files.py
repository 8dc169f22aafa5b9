"""Published arrays: damaged bytes and headers, types and numbers, judged by numpy itself."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from hrv_engine.attention.heads import HeadLayout
from hrv_engine.relevance import files
from hrv_engine.relevance.concepts import Concept, ConceptSet

from .attempt import Attempt
from .mutations import damaged_bytes, damaged_text
from .vote_files import HEADS, LAYOUT

CONCEPTS = ConceptSet("three", tuple(Concept(name, (name,)) for name in ("A", "B", "C")))
SHAPES = [(3, HEADS)] * 6 + [(HEADS,), (3, 7), (0, HEADS), (), (3, HEADS, 1), (1, 3, HEADS)]
DTYPES = ["<f8", "<f4", ">f4", "<f2", "<i8", "<i4", "<u8", "|i1", "|b1", "<c16", "<U3", "|S4", "<M8[s]", "O"]


def attempts(chance: random.Random, folder: Path) -> Iterator[Attempt]:
    """Arrays that may be vectors, and files that are none."""
    path, layout = folder / "vectors.npy", HeadLayout.from_json(LAYOUT)
    while True:
        array = np.random.default_rng(chance.randrange(2**32)).integers(0, 100, chance.choice(SHAPES))
        array = np.asfortranarray(array) if chance.random() < 0.2 else array
        array = array.astype(chance.choice(DTYPES[:5] if chance.random() < 0.6 else DTYPES))
        if array.dtype.kind == "f" and array.size and chance.random() < 0.2:
            array.flat[chance.randrange(array.size)] = chance.choice([np.nan, np.inf, -np.inf, -1, 6e4])
        np.save(path, array, allow_pickle=True)
        payload, kind = path.read_bytes(), chance.random()
        if kind < 0.4:
            payload = damaged_bytes(payload, chance)
        elif kind < 0.6:
            payload = _odd_header(payload, chance)

        def act(payload: bytes = payload) -> Any:
            path.write_bytes(payload)
            return files.import_published(path, CONCEPTS, layout)

        yield Attempt(f"npy: {payload[:120]!r}", act, lambda relevance: _wrong(path, relevance))


def _odd_header(payload: bytes, chance: random.Random) -> bytes:
    length = int.from_bytes(payload[8:10], "little")
    text = damaged_text(payload[10 : 10 + length].decode("latin-1"), chance).encode("utf-8", "replace")[:60_000]
    return payload[:8] + len(text).to_bytes(2, "little") + text + payload[10 + length :]


def _wrong(path: Path, relevance: Any) -> str:
    try:
        values = np.load(path, allow_pickle=False).astype(np.float64)
    except Exception as error:  # whatever numpy raises, it cannot read the file
        return f"accepted, but numpy refuses it: {error}"
    if values.shape != relevance.values.shape or not np.isfinite(values).all():
        return f"accepted {values.shape}, or what is not finite"
    largest = np.abs(values).max(axis=1, keepdims=True)
    values = values / np.where(largest > 0, largest, 1)
    sums = np.abs(values).sum(axis=1, keepdims=True)
    expected = np.where(sums > 0, values / np.where(sums > 0, sums, 1) * HEADS, 0)
    return "" if np.allclose(relevance.values, expected, rtol=1e-5, atol=1e-30) else "the vectors differ"
