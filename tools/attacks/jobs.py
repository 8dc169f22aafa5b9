"""Job folders of experiments: files cut, exchanged or missing. What counts as done is as it was saved."""

from __future__ import annotations

import io
import json
import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from hrv_engine.experiments.store import Store

from .attempt import Attempt
from .mutations import damaged, damaged_bytes

KEYS = ["plain", "table"]


def attempts(chance: random.Random, folder: Path) -> Iterator[Attempt]:
    """A saved job, then damage to one of its files."""
    setattr(os, "fsync", lambda handle: None)  # noqa: B010 - thousands of files that nobody keeps
    arrays: list[np.ndarray] = [np.full((4, 4, 3), shade, np.uint8) for shade in (0, 128)]
    saved = Store(folder / "saved")
    saved.save("one", "x", {"plain": [_png(array) for array in arrays]}, {"table": "a,b"})
    saved.kept("one", "clip", lambda: [0.5])
    while True:
        store = Store(folder / "damaged")
        shutil.rmtree(store.folder, ignore_errors=True)
        shutil.copytree(saved.folder, store.folder)
        path = chance.choice(sorted(store.job("one").iterdir()))
        payload, kind = path.read_bytes(), chance.random()
        if kind < 0.1:
            path.unlink()
        elif kind < 0.5 and path.suffix == ".json":
            path.write_text(json.dumps(damaged(json.loads(payload), chance, chance.choice([1, 2]))), encoding="utf-8")
        elif kind < 0.95:
            path.write_bytes(damaged_bytes(payload, chance))

        def act(store: Store = store) -> Any:
            done = store.done("one", "x", KEYS)
            finished = store.finished("one", KEYS)
            scores = store.kept("one", "other", lambda: [0.25])
            pictures = store.pictures("one", "plain").numpy() if finished else None
            return (
                done,
                finished,
                scores,
                pictures,
                store.texts("one") if finished and _is_hashed(store) else {"table": "a,b"},
            )

        yield Attempt(
            f"job: {path.name} {path.read_bytes()[:100] if path.exists() else None!r}",
            act,
            lambda value: _wrong(value, arrays),
        )


def _is_hashed(store: Store) -> bool:
    """Whether the damage left the hash by which a changed text is told."""
    return "whole" in json.loads((store.job("one") / "done.json").read_bytes())


def _png(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PNG")
    return stream.getvalue()


def _wrong(value: Any, arrays: list[np.ndarray]) -> str:
    done, finished, scores, pictures, texts = value
    if done and not finished:
        return "done, but not finished"
    if scores != [0.25] or texts != {"table": "a,b"}:
        return f"scores {scores}, texts {texts}"
    if pictures is not None and not all(
        any(np.array_equal(picture * 255, array) for array in arrays) for picture in pictures
    ):
        return "another image counts as done"
    return ""
