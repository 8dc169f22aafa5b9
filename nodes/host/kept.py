"""The sums of a running build, with safety copies in a file that other builds may add to."""

import time
from typing import Any

from ...hrv_engine.relevance.adding import PartialSums
from ...hrv_engine.relevance.parts import Numbered, counted
from ...hrv_engine.relevance.vote_file import VoteFile

SAVE_EVERY = 60.0  # seconds between safety copies of a running build
MOST_UNSAVED = 128 << 20  # bytes of sums that wait for the next safety copy, batch by batch


class Kept:
    """What a build has counted: `sums`; saved about once a minute and when asked to."""

    def __init__(self, empty: PartialSums, file: VoteFile | None) -> None:
        self.file: VoteFile | None = file
        self.sums: Any = empty if file is None else file.votes
        self.unsaved: list[Any] = []
        self.saved = time.monotonic()

    def counted(self, prompts: Numbered, seed: int) -> set[int]:
        """Numbers of the images that were counted, here or by others as far as the last save has seen."""
        return counted(self.sums.parts, prompts, seed)

    def add(self, sums: Any) -> None:
        """Take in the sums of a batch; saves when it is time, or when many wait."""
        self.sums = self.sums + sums
        if self.file is not None:
            self.unsaved.append(sums)
            size = sum(one.nbytes for one in self.unsaved)
            if time.monotonic() - self.saved > SAVE_EVERY or size > MOST_UNSAVED:
                self.save()

    def save(self) -> None:
        """Add what is not saved yet to the file."""
        if self.file is not None and self.unsaved:
            unsaved, self.unsaved = self.unsaved, []
            self.sums = self.file.add(unsaved)
            self.saved = time.monotonic()
