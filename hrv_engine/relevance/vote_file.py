"""An HRV file that several builds add to: each save takes in what the others have saved meanwhile."""

import uuid
from collections.abc import Sequence
from pathlib import Path

from ..errors import HRVError
from ..storage.locks import locked
from . import files
from .adding import PartialSums


class VoteFile:
    """The file of a build, or of one of the builds that share it.

    ballot: the empty ballot of the build, which votes in the file must fit; resume: go on from what is there, or
    replace it at the first save. votes: what the file held when it was last read or written here.
    Raises HRVError for a file that was built otherwise.
    """

    def __init__(self, path: Path, ballot: PartialSums, resume: bool = True) -> None:
        self.path, self.ballot = path, ballot
        self._replaced = None if resume else _state(path)
        self.votes = self._read()

    def add(self, pending: Sequence[PartialSums]) -> PartialSums:
        """Add what no other build has counted meanwhile, all of an entry or nothing of it; the votes of the file.

        Raises HRVError when it cannot be written, or when a file that was built otherwise has taken its place; what
        was counted is then saved under a new name if that is possible, which the error says.
        """
        try:
            with locked(self.path):
                there = self._read()
                votes = _joined(there, (self.votes, *pending))  # ours too: the file may have been removed
                if votes is not there:
                    files.write(self.path, votes.relevance())
        except HRVError as error:
            raise HRVError(f"{error}{self._saved_beside(pending)}") from error
        self.votes, self._replaced = votes, None
        return votes

    def _read(self) -> PartialSums:
        state = _state(self.path)
        if state is None or state == self._replaced:
            return self.ballot
        votes = files.load(self.path).sums
        if votes is None:
            raise HRVError(
                f"{self.path.name} holds imported vectors without votes, so a build cannot continue it. Save under"
                " another name."
            )
        try:
            votes.check_compatible(self.ballot)
        except HRVError as error:
            raise HRVError(
                f"{self.path.name} exists and was built differently, so this build cannot continue it. {error} Or"
                " switch resume off to start over."
            ) from error
        return votes

    def _saved_beside(self, pending: Sequence[PartialSums]) -> str:
        path = self.path.with_name(f"{self.path.stem}-{uuid.uuid4().hex[:8]}{self.path.suffix}")
        try:
            files.write(path, _joined(self.ballot, (self.votes, *pending)).relevance())
        except HRVError:
            return ""
        return f" The votes counted here are kept in {path.name}."


def _joined(votes: PartialSums, others: Sequence[PartialSums]) -> PartialSums:
    """The votes and those of the others whose images are all new to them."""
    for other in others:
        if other.parts and not any(part.overlaps(known) for part in other.parts for known in votes.parts):
            votes = votes + other
    return votes


def _state(path: Path) -> tuple[int, int, int] | None:
    """What tells a file from the one that replaced it, None if there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise HRVError(f"{path} cannot be read ({error}). Save under another name.") from error
    return found.st_ino, found.st_mtime_ns, found.st_size
