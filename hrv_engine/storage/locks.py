"""One writer of a file at a time, among threads, processes and machines that share a folder."""

import errno
import hashlib
import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import HRVError
from .atomic import not_saved

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

PATIENCE = 60.0  # seconds; a save takes milliseconds
TRY_EVERY = 0.02
HELD = (errno.EAGAIN, errno.EACCES, errno.EDEADLK)
UNSUPPORTED = (errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK, errno.EINVAL)


@contextmanager
def locked(path: Path, patience: float = PATIENCE) -> Iterator[None]:
    """Hold the lock file beside `path`; the system releases it when its process dies, so none is ever stale.

    Raises HRVError when another holds it for longer than `patience` seconds, or if the folder cannot be written.
    """
    lock = lock_path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = _acquired(path, lock, patience)
    except OSError as error:
        raise not_saved(path, error) from error
    try:
        yield
    finally:
        if sys.platform == "win32":  # an open file cannot be removed there
            os.close(handle)
            with suppress(OSError):
                lock.unlink()
        else:
            with suppress(OSError):
                lock.unlink()
            os.close(handle)


def lock_path(path: Path) -> Path:
    """The lock file of a file, a short name however long the file's is."""
    return path.with_name(f".hrv-{hashlib.sha256(os.path.normcase(path.name).encode()).hexdigest()[:16]}.lock")


def _acquired(path: Path, lock: Path, patience: float) -> int:
    """A locked handle of the file that bears the name `lock` now (its last holder may have removed another)."""
    deadline = time.monotonic() + patience
    while True:
        handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            if _locks(handle) and _is_named(handle, lock):
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)
        if time.monotonic() >= deadline:
            raise HRVError(
                f"{path.name} cannot be saved now: another build or server has been writing it for"
                f" {patience:.0f} seconds ({lock} is locked). Nothing was changed. See whether one hangs, end it, and"
                " save again, or save under another name."
            )
        time.sleep(TRY_EVERY)


def _locks(handle: int) -> bool:
    """Whether the handle got the lock; without waiting."""
    try:
        if sys.platform == "win32":
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in HELD:
            return False
        if error.errno not in UNSUPPORTED:
            raise
        logging.getLogger(__name__).warning("This file system has no locks (%s): use one writer at a time.", error)
    return True


def _is_named(handle: int, lock: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), os.stat(lock))
    except FileNotFoundError:
        return False
