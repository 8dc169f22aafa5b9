"""HRV files: damaged bytes, headers, types and numbers, judged by the safetensors library and by arithmetic."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from hrv_engine.relevance import files

from .attempt import Attempt
from .mutations import damaged, damaged_bytes, odd_value

LAYOUT = [["input", 1, 0, 2, 4], ["middle", 0, 0, 4, 4], ["output", 2, 1, 2, 4]]
HEADS, DTYPES = 8, (np.int8, np.uint8, np.int16, np.int32, np.uint32, np.int64, np.uint64, np.float32, np.float64, bool)


def attempts(chance: random.Random, folder: Path) -> Iterator[Attempt]:
    """Files with one or several faults, now and then with none."""
    path = folder / "votes.safetensors"
    while True:
        header, tensors = _valid(chance)
        kind = chance.random()
        if kind < 0.3:
            payload, what = damaged_bytes(_file(header, tensors), chance), "bytes"
        elif kind < 0.6:
            header = damaged(header, chance, chance.choice([1, 1, 2]))
            payload, what = _file(header, tensors), f"header {str(header)[:150]}"
        elif kind < 0.8:
            name = chance.choice(list(tensors))
            tensors[name] = _odd_tensor(tensors[name], chance)
            payload, what = _file(header, tensors), f"{name} {tensors[name].dtype} {tensors[name].shape}"
        elif kind < 0.95:
            payload, what = _odd_entries(_file(header, tensors), chance), "safetensors header"
        else:
            payload, what = _file(header, tensors), "nothing"

        def act(payload: bytes = payload) -> Any:
            path.write_bytes(payload)
            return files.load(path)

        yield Attempt(f"vote file: {what}", act, lambda relevance: _wrong(path, relevance))


def _valid(chance: random.Random) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    numbers = np.random.default_rng(chance.randrange(2**32))
    concepts = chance.choice([2, 3, 5])
    header: dict[str, Any] = {
        "format": files.FORMAT,
        "version": files.VERSION,
        "concepts": {"name": "c", "concepts": [[f"C{row}", [f"w{row}", "x"]] for row in range(concepts)]},
        "layout": LAYOUT,
        "source": {},
        "recipe": {"steps": 20, "cfg": 7.5, "sampler_name": "ddim"},
        "parts": [{"prompts": "p", "digest": "d", "seed": 0, "start": start, "images": 2} for start in (0, 5)],
    }
    if chance.random() < 0.25:
        values = numbers.random((concepts, HEADS), np.float32)
        return header, {"relevance": values, "orders": np.argsort(-values, axis=1, kind="stable").astype(np.int32)}
    steps = numbers.integers(0, 50, (chance.choice([1, 3]), concepts, HEADS))
    tensors = {"votes": steps.sum(axis=0)}
    if chance.random() < 0.5:
        tensors["votes_per_step"] = steps
    if chance.random() < 0.3:
        header["logit_count"] = 4
        tensors |= {"logit_total": numbers.random(HEADS), "logit_squares": numbers.random(HEADS)}
    return header, tensors


def _file(header: Any, tensors: dict[str, np.ndarray]) -> bytes:
    return save({name: np.ascontiguousarray(array) for name, array in tensors.items()}, {"hrv": json.dumps(header)})


def _odd_tensor(array: np.ndarray, chance: random.Random) -> np.ndarray:
    kind, array = chance.random(), array.copy()
    if kind < 0.35:
        return array.astype(chance.choice(DTYPES))
    if kind < 0.6:
        array.flat[chance.randrange(array.size)] = chance.choice([-1, 2**30, 0, 10**6])
        return array
    if kind < 0.7 and array.dtype.kind == "f":
        array.flat[chance.randrange(array.size)] = chance.choice([np.nan, np.inf, -1.0])
        return array
    if kind < 0.8:
        return array * array.dtype.type(-1) if chance.random() < 0.5 else array * array.dtype.type(0)
    return chance.choice([array[:1], array[None], array[..., :3], array.reshape(-1), np.concatenate([array, array])])


def _odd_entries(payload: bytes, chance: random.Random) -> bytes:
    length = int.from_bytes(payload[:8], "little")
    entries = json.loads(payload[8 : 8 + length])
    if chance.random() < 0.3:
        text = chance.choice(
            ["[" * 10_000, '{"a":' * 5000, '{"votes": ' + "9" * 5000 + "}", "", "null", json.dumps(odd_value(chance))]
        )
    else:
        text = json.dumps(damaged(entries, chance, chance.choice([1, 1, 2, 3])))
    encoded = text.encode()
    size = chance.choice([len(encoded)] * 5 + [0, 2**40, 2**64 - 1, len(encoded) + 8])
    return size.to_bytes(8, "little") + encoded + payload[8 + length :]


def _wrong(path: Path, relevance: Any) -> str:
    """What is wrong with vectors read from a file, as the safetensors library reads it."""
    try:
        with safe_open(str(path), "numpy") as file:
            header = json.loads(file.metadata()["hrv"])
            tensors = {
                name: file.get_tensor(name)
                for name in ("votes", "votes_per_step", "relevance", "orders")
                if name in file.keys()  # noqa: SIM118 - safe_open is no mapping
            }
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        return f"accepted, but safetensors refuses it: {error}"
    heads = sum(row[3] for row in header["layout"])
    if any(not (type(row[3]) is int and row[3] > 0) for row in header["layout"]):
        return "accepted with no heads in a layer"
    if "votes" not in tensors:
        same = (
            np.array_equal(relevance.values, tensors["relevance"].astype(np.float32))
            and np.isfinite(relevance.values).all()
        )
        return "" if same else "the vectors differ"
    votes = tensors["votes"]
    if votes.dtype not in (np.int64, np.int32) or (votes < 0).any() or votes.shape[1] != heads:
        return f"accepted {votes.dtype} votes from {votes.min()} for {heads} heads"
    if "votes_per_step" in tensors:
        steps = tensors["votes_per_step"]
        if (
            steps.dtype.kind != "i"
            or (steps < 0).any()
            or (steps.astype(object).sum(axis=0) != votes.astype(object)).any()
        ):
            return "accepted votes per step that are not the votes"
    if sum(part["images"] for part in header["parts"]) > votes.sum():
        return "accepted more images than votes"
    numbers = [
        (part["digest"], part["seed"], n)
        for part in header["parts"]
        for n in range(part["start"], part["start"] + part["images"])
    ]
    if len(set(numbers)) < len(numbers) or len(numbers) != relevance.votes.images:
        return "accepted images that are counted twice"
    totals = [sum(map(int, row)) for row in votes]
    expected = [[int(vote) * heads / max(total, 1) for vote in row] for row, total in zip(votes, totals, strict=True)]
    return "" if np.allclose(relevance.values, expected, rtol=1e-6) else "the vectors differ"
