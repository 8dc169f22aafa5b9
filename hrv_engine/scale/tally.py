"""The file into which the parts of a build are added as they come; what it counted is not built again."""

import tempfile
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from ..errors import HRVError
from ..relevance import files
from ..relevance.adding import PartialSums
from ..relevance.parts import Numbered, Part, counted
from ..relevance.vote_file import VoteFile


class Tally:
    """Votes of a prompt set with one seed, in the file `path`, which is whole after every part.

    added: called with the number of images each part has added. Parts may come from several threads, and other runs may
    add to the file.
    """

    def __init__(
        self, path: Path, prompts: Numbered, seed: int, added: Callable[[int], None] = lambda images: None
    ) -> None:
        self.path, self.prompts, self.seed, self.added = path, prompts, seed, added
        self._lock = threading.Lock()
        self.votes: PartialSums | None = None
        self._file: VoteFile | None = None
        if path.exists():
            self.votes = files.load(path).sums
            if self.votes is None:
                raise HRVError(f"{path} holds vectors without votes, to which no part can be added. Save elsewhere.")

    @property
    def counted(self) -> set[int]:
        """Numbers of the images that the file counted."""
        return set() if self.votes is None else counted(self.votes.parts, self.prompts, self.seed)

    @property
    def missing(self) -> int:
        """How many images are still to be counted."""
        return len(self.prompts.prompts) - len(self.counted)

    def add(self, payload: bytes) -> None:
        """Add the vote file of a part, given as bytes, and save; raises HRVError if it was built otherwise."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "part.safetensors"
            path.write_bytes(payload)
            part = files.load(path).sums
        whole = Part.of(self.prompts, self.seed, 0, len(self.prompts.prompts))
        if part is None or not part.parts or not all(run.same_set(whole) for run in part.parts):
            raise HRVError(
                f'A part came back that was not built on the prompts "{self.prompts.name}" as they are here. Have the'
                " same version of the pack on every machine."
            )
        with self._lock:
            before = len(self.counted)
            try:
                if self._file is None:
                    self._file = VoteFile(self.path, part.emptied())
                self.votes = self._file.votes
                if not _images(part) <= self.counted:
                    self.votes + part  # raises for a part that was built otherwise, or is counted in part
                self.votes = self._file.add([part])
            except HRVError as error:
                raise HRVError(
                    f"{self.path} cannot take in another part of this build. {error} Or save under another name."
                ) from error
            self.added(len(self.counted) - before)


def _images(votes: PartialSums) -> set[int]:
    return {number for part in votes.parts for number in range(part.start, part.end)}


def split(total: int, parts: int, multiple: int, done: Iterable[int] = ()) -> list[range]:
    """The images 0 to total - 1 in about `parts` runs, cut at multiples of `multiple`, without those in `done`."""
    blocks = -(-total // multiple)
    parts = max(1, min(parts, blocks))
    cuts = [min(blocks * number // parts * multiple, total) for number in range(parts + 1)]
    known, runs = set(done), []
    for first, end in zip(cuts[:-1], cuts[1:], strict=True):
        start = first
        for number in range(first, end + 1):
            if number == end or number in known:
                if number > start:
                    runs.append(range(start, number))
                start = number + 1
    return runs
