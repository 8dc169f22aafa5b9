"""Adds images to vote files: each line `PATH FIRST END` on standard input starts a writer, which may be killed."""

from __future__ import annotations

import os
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
    from tools.pack import load_pack

    load_pack()

from comfyui_hrv.tests.engine.examples import ballot, random_counts  # noqa: E402
from hrv_engine.relevance.vote_file import VoteFile  # noqa: E402


def image(number: int):
    """The votes of one image, told from those of any other."""
    return ballot(random_counts(number), start=number, images=1)


def write(path: Path, first: int, end: int) -> None:
    """Add images that the file lacks, one by one; a line for each that is safe."""
    empty = image(0).emptied()
    file = VoteFile(path, empty)
    for number in range(first, end):
        file.add([image(number)])
        os.write(1, f"{number}\n".encode())


def main() -> None:
    """Start a writer a line, wait for it and say so."""
    os.write(1, b"ready\n")
    for line in sys.stdin:
        path, first, end = line.rsplit(maxsplit=2)
        child = os.fork()
        if child == 0:
            write(Path(path), int(first), int(end))
            os._exit(0)
        os.write(1, f"process {child}\n".encode())
        os.waitpid(child, 0)
        os.write(1, b"gone\n")


if __name__ == "__main__":
    main()
