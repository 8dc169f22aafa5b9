"""A file in parts that fit where files may only be small, and back."""

from __future__ import annotations

from pathlib import Path

#: Bytes of a part: 15 MiB, below limits of 16.
LIMIT = 15 * 2**20


def split(path: Path, limit: int = LIMIT) -> list[Path]:
    """Writes path.000, path.001, ... of at most `limit` bytes each beside the file; older parts of it are removed."""
    for old in path.parent.glob(f"{path.name}.[0-9][0-9][0-9]"):
        old.unlink()
    written: list[Path] = []
    with path.open("rb") as file:
        while piece := file.read(limit):
            written.append(path.with_name(f"{path.name}.{len(written):03d}"))
            written[-1].write_bytes(piece)
    return written


def joined(path: Path) -> bytes:
    """The file whose parts lie beside `path`; raises FileNotFoundError if there are none, or one is missing."""
    parts = sorted(path.parent.glob(f"{path.name}.[0-9][0-9][0-9]"))
    if not parts:
        raise FileNotFoundError(f"There are no parts {path.name}.000, ... in {path.parent}.")
    missing = {f"{path.name}.{number:03d}" for number in range(len(parts))} - {part.name for part in parts}
    if missing:
        raise FileNotFoundError(f"{', '.join(sorted(missing))} of {path.name} is missing in {path.parent}.")
    return b"".join(part.read_bytes() for part in parts)
