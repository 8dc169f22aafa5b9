"""An experiment's results on disk: one folder per job, which counts only once its marker file exists."""

import errno
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..errors import HRVError
from ..remote.prompt import Prompt

MARKER, SCORES = "done.json", "scores.json"


def digest(prompt: Prompt) -> str:
    """A hash of what a job asks; another prompt under the same name is another job."""
    return hashlib.sha256(json.dumps(prompt, sort_keys=True).encode()).hexdigest()


@contextmanager
def disk_full_errors() -> Iterator[None]:
    """Turn a full disk into an HRVError that says how to go on."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise HRVError(
            f"There is no room left on the disk for {error.filename or 'a result'}. What is finished is kept: make"
            " room and run the same command again to go on."
        ) from error


@dataclass(frozen=True)
class Store:
    """The folder of one experiment."""

    folder: Path

    def job(self, name: str) -> Path:
        """The folder of a job."""
        return self.folder / "jobs" / name

    def done(self, name: str, asked: str) -> bool:
        """Whether a job was finished for this very prompt (its `digest`)."""
        marker = self._marker(name)
        return marker is not None and marker["prompt"] == asked

    def finished(self, name: str) -> bool:
        """Whether a job was finished, whatever its prompt was."""
        return self._marker(name) is not None

    def save(self, name: str, asked: str, pictures: Mapping[str, list[bytes]], texts: Mapping[str, str]) -> None:
        """Write a job's images (PNG) and texts, and its marker file last; raises HRVError on a full disk."""
        folder = self.job(name)
        with disk_full_errors():
            folder.mkdir(parents=True, exist_ok=True)
            for old in (MARKER, SCORES):
                (folder / old).unlink(missing_ok=True)
            listed: dict[str, list[str]] = {}
            for key, several in pictures.items():
                listed[key] = [f"{_file(key)}_{number}.png" for number in range(len(several))]
                for file, payload in zip(listed[key], several, strict=True):
                    (folder / file).write_bytes(payload)
            marker = {"prompt": asked, "pictures": listed, "texts": dict(texts)}
            write_whole(folder / MARKER, json.dumps(marker, indent=1))

    def texts(self, name: str) -> dict[str, str]:
        """The texts of a finished job."""
        return (self._marker(name) or {}).get("texts", {})

    def files(self, name: str, key: str) -> list[Path]:
        """The images of a finished job under a name."""
        listed = (self._marker(name) or {}).get("pictures", {}).get(key, [])
        return [self.job(name) / file for file in listed]

    def pictures(self, name: str, key: str) -> Tensor:
        """Those images, float32 [images height width 3] in 0..1."""
        arrays = [np.asarray(Image.open(path).convert("RGB"), np.float32) / 255 for path in self.files(name, key)]
        return torch.from_numpy(np.stack(arrays))

    def kept(self, name: str, about: str, compute: Callable[[], Any]) -> Any:
        """What was computed of a finished job before, or is computed now and kept beside its images (as JSON)."""
        path = self.job(name) / SCORES
        try:
            known = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, json.JSONDecodeError):
            known = {}
        if about not in known:
            known[about] = compute()
            write_whole(path, json.dumps(known, indent=1))
        return known[about]

    def _marker(self, name: str) -> dict[str, Any] | None:
        try:
            return json.loads((self.job(name) / MARKER).read_text(encoding="utf-8"))
        except (OSError, json.JSONDecodeError):
            return None


def write_whole(path: Path, text: str) -> None:
    """Write a text file whole or not at all; raises HRVError on a full disk."""
    with disk_full_errors():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.part")
        try:
            part.write_text(text, encoding="utf-8")
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)


def _file(key: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in key.casefold())
