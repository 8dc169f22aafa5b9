"""Errors of the engine, which knows no nodes, with a sentence of the node that was asked."""

from collections.abc import Iterator
from contextlib import contextmanager

from ..hrv_engine.errors import HRVError


@contextmanager
def hint(sentence: str) -> Iterator[None]:
    """An HRVError that comes out of the block ends with this sentence: which nodes to connect, which switch to turn."""
    try:
        yield
    except HRVError as error:
        raise HRVError(f"{error} {sentence}") from error
