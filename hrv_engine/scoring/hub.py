"""Models from the Hugging Face hub: at a fixed commit, as safetensors with known hashes, in a process of its own.

No file of code or pickle is fetched. A repository that somebody names is taken at a commit they name as well; its
newest state, which its owner can change at any time, only by the explicit wish NAME@newest.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import HRVError
from ..optional import library
from ..remote.exchange import POLL, never

SECONDS = 24 * 3600  # for a whole download
DESCRIPTIONS = ("*.json", "*.txt")  # configurations and vocabularies
CODE = """
import json, sys
from huggingface_hub import snapshot_download
name, revision, patterns = json.loads(sys.argv[1])
print(snapshot_download(name, revision=revision, allow_patterns=patterns))
"""
NEWEST = "newest"
NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
COMMIT = re.compile(r"[0-9a-f]{40}")


class DownloadFailed(Exception):
    """Why the files did not come, in a few words."""


@dataclass(frozen=True)
class Download:
    """A repository at a revision; weights: its safetensors files with their sha256, none if they are not known.

    cancelled: looked at during the download; it may raise.
    """

    name: str
    revision: str
    weights: tuple[tuple[str, str], ...] = ()
    cancelled: Callable[[], None] = field(default=never, compare=False, repr=False)

    def __str__(self) -> str:
        return self.name

    @property
    def key(self) -> str:
        """Name and revision, for which it is the same model."""
        return f"{self.name}@{self.revision}"

    def folder(self, purpose: str) -> Path:
        """The folder of its files in the hub's cache, fetched if need be.

        Raises DownloadFailed, HRVError for a weight file with another hash, and what `cancelled` raises.
        """
        hub = library("huggingface_hub", "huggingface-hub", "eval", purpose)
        patterns = [*DESCRIPTIONS, *(dict(self.weights) or ["*.safetensors"])]
        offline = {"HF_HUB_OFFLINE": "1"} if hub.constants.HF_HUB_OFFLINE else {}
        asked = json.dumps([self.name, self.revision, patterns])
        folder = Path(_last_line(_run([sys.executable, "-c", CODE, asked], offline, self.cancelled)))
        for file, sha256 in self.weights:
            self._check(folder / file, sha256)
        return folder

    def _check(self, path: Path, sha256: str) -> None:
        digest = hashlib.sha256()
        try:
            with open(path, "rb") as file:
                while part := file.read(2**22):
                    self.cancelled()
                    digest.update(part)
        except OSError as error:
            raise DownloadFailed(f"{path.name} did not come ({error.strerror})") from error
        if digest.hexdigest() != sha256:
            raise HRVError(
                f"{path.name} of {self.key} is not the file that this pack knows: its sha256 is {digest.hexdigest()},"
                f" expected {sha256}. It was not loaded. Delete {path.resolve()} and fetch it again; if it stays so, do"
                " not use the server it comes from."
            )


def download_from(text: str, known: Download) -> Download:
    """What "NAME", "NAME@COMMIT" or "NAME@newest" asks for; a name alone only if it is the known one, else HRVError."""
    name, at, revision = text.strip().partition("@")
    if not at and name == known.name:
        return known
    if at and NAME.fullmatch(name) and (revision == NEWEST or COMMIT.fullmatch(revision)):
        return known if (name, revision) == (known.name, known.revision) else Download(name, _ref(revision))
    raise HRVError(
        f'"{text}" is neither a file or folder here nor something to fetch. To fetch, write {known.name}, whose hashes'
        f" are known; or OWNER/NAME@COMMIT with all 40 digits of a commit; or OWNER/NAME@{NEWEST} if you trust whatever"
        " that repository holds when it is fetched."
    )


def _ref(revision: str) -> str:
    return "main" if revision == NEWEST else revision


def _run(command: list[str], variables: dict[str, str], cancelled: Callable[[], None]) -> str:
    """What a command prints; it is ended with this call, however that ends."""
    with (
        tempfile.TemporaryDirectory() as place,
        tempfile.TemporaryFile("w+") as out,
        tempfile.TemporaryFile("w+") as err,
    ):
        process = subprocess.Popen(command, cwd=place, env=os.environ | variables, stdout=out, stderr=err)
        deadline = time.monotonic() + SECONDS
        try:
            while process.poll() is None:
                cancelled()
                if time.monotonic() > deadline:
                    raise DownloadFailed(f"it took more than {SECONDS / 3600:g} hours")
                time.sleep(POLL)
        finally:
            process.kill()
            process.wait()
        out.seek(0)
        err.seek(0)
        if process.returncode:
            raise DownloadFailed(_last_line(err.read()) or f"the download ended with code {process.returncode}")
        return out.read()


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1].strip()[:300].rstrip(".") if lines else ""
