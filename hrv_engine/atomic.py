"""Files that are written whole or not at all: the bytes go beside the old file, then a rename replaces it."""

import errno
import os
import uuid
from pathlib import Path

from .errors import HRVError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def replace_file(path: Path, payload: bytes) -> None:
    """Write bytes to a file, its folders made where they are missing; an OSError leaves the old file untouched."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        with part.open("xb") as file:  # with the permissions any new file of this user gets
            file.write(payload)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def write_atomically(path: Path, payload: bytes) -> None:
    """As `replace_file`; raises HRVError that says how to go on for a full disk or a folder that cannot be written."""
    try:
        replace_file(path, payload)
    except OSError as error:
        advice = "Choose a folder you may write to"
        if error.errno in FULL:
            advice = f"Free some disk space ({len(payload)} bytes are needed)"
        raise HRVError(
            f"{path} cannot be saved ({error}); an older file of that name is intact. {advice}, and save again."
        ) from error
