"""Files that are written whole or not at all: the bytes go beside the old file, then a rename replaces it."""

import errno
import hashlib
import os
import platform
import re
import time
import uuid
from contextlib import suppress
from pathlib import Path

from ..errors import HRVError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
OLD = 24 * 3600.0  # seconds after which an unfinished file is litter, whoever wrote it
HERE = hashlib.sha256(platform.node().encode()).hexdigest()[:8]  # process ids mean something on one machine only
UNFINISHED = re.compile(r"\.(?:hrv-([0-9a-f]{8})-(\d{1,10})-)?[0-9a-f]{32}\.part")


def replace_file(path: Path, payload: bytes) -> None:
    """Write bytes to a file, its folders made where they are missing; an OSError leaves the old file untouched.

    When it returns, the file survives a power cut. What a killed process left unfinished beside it is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep(path.parent)
    part = path.with_name(f".hrv-{HERE}-{os.getpid()}-{uuid.uuid4().hex}.part")
    try:
        with part.open("xb") as file:  # with the permissions any new file of this user gets
            file.write(payload)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut, where the system can."""
    if os.name == "nt":
        return  # cannot open a folder
    with suppress(OSError):  # some network file systems cannot either
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def sweep(folder: Path) -> None:
    """Remove unfinished files of ours from a folder: those of dead processes of this machine, and old ones."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            match = UNFINISHED.fullmatch(entry.name)
            if match is not None:
                with suppress(OSError):
                    old = time.time() - entry.stat(follow_symlinks=False).st_mtime > OLD
                    if old or (match[1] == HERE and not _is_alive(int(match[2]))):
                        os.unlink(entry.path)


def _is_alive(process: int) -> bool:
    if os.name == "nt":
        return True  # os.kill would end it
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # another user's
    return True


def write_atomically(path: Path, payload: bytes) -> None:
    """As `replace_file`; raises HRVError that says how to go on for a full disk or a folder that cannot be written."""
    try:
        replace_file(path, payload)
    except OSError as error:
        raise not_saved(path, error, len(payload)) from error


def not_saved(path: Path, error: OSError, size: int = 0) -> HRVError:
    """The error for a file that could not be written, of `size` bytes if they were counted."""
    advice = "Choose a folder you may write to"
    if error.errno in FULL:
        advice = f"Free some disk space ({size} bytes are needed)" if size else "Free some disk space"
    elif error.errno == errno.ENAMETOOLONG:
        advice = "Choose a shorter name"
    return HRVError(
        f"{path} cannot be saved ({error}); an older file of that name is intact. {advice}, and save again."
    )
