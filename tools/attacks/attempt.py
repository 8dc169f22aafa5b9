"""One attempt, and what came of many: refused, accepted, a traceback, a hang, a wrong value."""

from __future__ import annotations

import signal
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from hrv_engine.errors import HRVError

LONGEST = 5.0  # seconds an attempt may take
MOST_SAID = 6000  # characters of an error


@dataclass(frozen=True)
class Attempt:
    """what: for the report; act: what is tried; wrong: what is wrong with its value, "" for nothing."""

    what: str
    act: Callable[[], Any]
    wrong: Callable[[Any], str]


class Hang(BaseException):
    """An attempt took too long."""


@dataclass
class Outcome:
    """Counts over the attempts of a kind; examples: the first of each fault."""

    tries: int = 0
    accepted: int = 0
    refused: int = 0
    tracebacks: int = 0
    hangs: int = 0
    wrong: int = 0
    slowest: float = 0.0
    examples: list[str] = field(default_factory=list)

    @property
    def faults(self) -> int:
        """How many attempts came out as none may."""
        return self.tracebacks + self.hangs + self.wrong

    def count(self, attempt: Attempt) -> None:
        """Make an attempt and count what came of it."""
        self.tries += 1
        begun = time.monotonic()
        try:
            with _at_most(LONGEST):
                value = attempt.act()
        except HRVError as error:
            self.refused += 1
            if not str(error).strip() or len(str(error)) > MOST_SAID:
                self._fault("wrong", attempt, f"it is refused with {len(str(error))} characters")
        except Hang:
            self._fault("hangs", attempt, f"it takes more than {LONGEST:g} seconds")
        except Exception as error:  # what this counts
            last = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{last.filename}:{last.lineno}"
            self._fault("tracebacks", attempt, f"{type(error).__name__} in {where}: {str(error)[:200]}")
        else:
            self.accepted += 1
            try:
                said = attempt.wrong(value)
            except Exception as error:  # the value is like none that was foreseen
                said = f"no value that can be checked: {type(error).__name__} {str(error)[:200]}"
            if said:
                self._fault("wrong", attempt, said)
        self.slowest = max(self.slowest, time.monotonic() - begun)

    def _fault(self, name: str, attempt: Attempt, said: str) -> None:
        setattr(self, name, getattr(self, name) + 1)
        if len(self.examples) < 10:
            self.examples.append(f"{name}: {attempt.what[:200]!r}: {said}")


def run(attempts: Iterator[Attempt], count: int) -> Outcome:
    """What comes of the first `count` attempts."""
    outcome = Outcome()
    for _, attempt in zip(range(count), attempts, strict=False):
        outcome.count(attempt)
    return outcome


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    def over(*_: Any) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
