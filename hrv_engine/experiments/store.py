"""An experiment's results on disk: one folder per job, which counts only once its marker file exists."""

import errno
import hashlib
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..errors import HRVError
from ..remote.prompt import Prompt
from ..storage import plain_json
from ..storage.atomic import FULL, replace_file, sync_folder

MARKER, SCORES = "done.json", "scores.json"
FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG)


def digest(prompt: Prompt) -> str:
    """A hash of what a job asks; another prompt under the same name is another job."""
    return hashlib.sha256(json.dumps(prompt, sort_keys=True).encode()).hexdigest()


@contextmanager
def disk_full_errors() -> Iterator[None]:
    """Turn a full disk, or a folder that cannot be written, into an HRVError that says how to go on."""
    try:
        yield
    except OSError as error:
        place = error.filename or "a result"
        if error.errno in FULL:
            raise HRVError(
                f"There is no room left on the disk for {place}. What is finished is kept: make room and run the same"
                " command again to go on."
            ) from error
        if error.errno in FORBIDDEN:
            raise HRVError(
                f"{place} cannot be written ({error.strerror}). What is finished is kept: choose another folder with"
                " --to, or give yourself the right to write there, and run the same command again."
            ) from error
        raise


@dataclass(frozen=True)
class _Marker:
    """What a finished job gave: for which prompt, its images by name (sizes and hashes by file), its texts by name.

    hashes: empty in markers from before images were hashed.
    """

    prompt: str
    pictures: dict[str, list[str]]
    texts: dict[str, str]
    hashes: dict[str, str]

    @property
    def hash(self) -> str:
        """A hash of all of it, which the file has beside it (not those from before it was told)."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """As the file keeps it."""
        return {**asdict(self), "whole": self.hash}

    @classmethod
    def of(cls, data: Any) -> "_Marker":
        """The marker in a JSON value; ValueError, TypeError, LookupError or AttributeError for anything else."""
        marker = cls(data["prompt"], data["pictures"], data["texts"], data.get("hashes", {}))
        listed = [file for files in marker.pictures.values() for file in files]
        texts = [marker.prompt, *marker.texts.values(), *marker.hashes.values(), *listed]
        if not all(isinstance(text, str) for text in texts) or not all(
            isinstance(files, list) for files in marker.pictures.values()
        ):
            raise TypeError("a marker holds texts")
        if "whole" in data and data["whole"] != marker.hash:
            raise ValueError("a marker was changed")
        if any(Path(file).name != file for file in listed) or (marker.hashes and marker.hashes.keys() != set(listed)):
            raise ValueError("a marker names files of its own folder")
        return marker


@dataclass(frozen=True)
class Store:
    """The folder of one experiment."""

    folder: Path

    def job(self, name: str) -> Path:
        """The folder of a job."""
        return self.folder / "jobs" / name

    def done(self, name: str, asked: str, keys: Iterable[str] = ()) -> bool:
        """Whether a job was finished for this very prompt (its `digest`), as in `finished`."""
        marker = self._marker(name)
        return marker is not None and marker.prompt == asked and self.finished(name, keys)

    def finished(self, name: str, keys: Iterable[str] = ()) -> bool:
        """Whether a job was finished for any prompt: with images and texts under `keys`, all of them whole."""
        marker = self._marker(name)
        if marker is None or any(not marker.pictures.get(key) and key not in marker.texts for key in keys):
            return False
        files = [file for listed in marker.pictures.values() for file in listed]
        return all(_is_whole(self.job(name) / file, marker.hashes.get(file)) for file in files)

    def save(self, name: str, asked: str, pictures: Mapping[str, list[bytes]], texts: Mapping[str, str]) -> None:
        """Write a job's images (PNG) and texts, and its marker file last; raises HRVError on a full disk.

        Images and their names are on the disk before the marker is written.
        """
        folder = self.job(name)
        with disk_full_errors():
            folder.mkdir(parents=True, exist_ok=True)
            for old in (MARKER, SCORES):
                (folder / old).unlink(missing_ok=True)
            listed: dict[str, list[str]] = {}
            hashes: dict[str, str] = {}
            for key, several in pictures.items():
                listed[key] = [f"{_file(key)}_{number}.png" for number in range(len(several))]
                for file, payload in zip(listed[key], several, strict=True):
                    _write_through(folder / file, payload)
                    hashes[file] = hashlib.sha256(payload).hexdigest()
            sync_folder(folder)
            marker = _Marker(asked, listed, dict(texts), hashes)
            write_whole(folder / MARKER, json.dumps(marker.to_json(), indent=1))

    def texts(self, name: str) -> dict[str, str]:
        """The texts of a finished job."""
        marker = self._marker(name)
        return {} if marker is None else marker.texts

    def files(self, name: str, key: str) -> list[Path]:
        """The images of a finished job under a name."""
        marker = self._marker(name)
        return [] if marker is None else [self.job(name) / file for file in marker.pictures.get(key, [])]

    def pictures(self, name: str, key: str) -> Tensor:
        """Those images, float32 [images height width 3] in 0..1."""
        arrays = [np.asarray(Image.open(path).convert("RGB"), np.float32) / 255 for path in self.files(name, key)]
        return torch.from_numpy(np.stack(arrays))

    def kept(self, name: str, about: str, compute: Callable[[], Any]) -> Any:
        """What was computed of a finished job before, or is computed now and kept beside its images (as JSON)."""
        path = self.job(name) / SCORES
        try:
            known = plain_json.parse(path.read_bytes())
        except (OSError, ValueError):
            known = {}
        if not isinstance(known, dict):
            known = {}
        if about not in known:
            known[about] = compute()
            write_whole(path, json.dumps(known, indent=1))
        return known[about]

    def _marker(self, name: str) -> _Marker | None:
        try:
            return _Marker.of(plain_json.parse((self.job(name) / MARKER).read_bytes()))
        except (OSError, LookupError, TypeError, ValueError, AttributeError):
            return None


def _is_whole(path: Path, sha256: str | None) -> bool:
    """Whether an image is there as it was saved; without its hash, whether it can be decoded."""
    try:
        payload = path.read_bytes()
        if sha256 is not None:
            return hashlib.sha256(payload).hexdigest() == sha256
        with Image.open(io.BytesIO(payload)) as image:
            image.load()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return False
    return True


def _write_through(path: Path, payload: bytes) -> None:
    with path.open("wb") as file:
        file.write(payload)
        file.flush()
        os.fsync(file.fileno())


def write_whole(path: Path, text: str) -> None:
    """Write a text file whole or not at all; raises HRVError on a full disk."""
    with disk_full_errors():
        replace_file(path, text.encode("utf-8", "backslashreplace"))


def _file(key: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in key.casefold())
