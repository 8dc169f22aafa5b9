"""Numbers for single words as a user types them: "car: 2, night sky: -1" and "car: 0.1-0.4; blue: 0.5"."""

import re
from collections.abc import Callable
from typing import TypeVar

from ..errors import HRVError
from .lists import listed
from .spelling import normalised

Value = TypeVar("Value")


def parse_word_values(text: str, low: float = -10.0, high: float = 10.0) -> dict[str, float]:
    """Word or phrase -> number from low to high; entries apart by comma, semicolon or line; raises HRVError."""

    def number(value: str) -> float | None:
        try:
            return float(value) if low <= float(value) <= high else None
        except ValueError:
            return None

    return _by_word(
        text,
        number,
        f"is no word with a number. Write the word, a colon and a number from {low:g} to {high:g}, several separated by"
        ' commas: "red: 2, car: -1".',
    )


def parse_word_windows(text: str) -> dict[str, tuple[float, float]]:
    """Word or phrase -> (start, end) as fractions of the run; one number alone is the end. Raises HRVError."""

    def window(value: str) -> tuple[float, float] | None:
        match = re.fullmatch(r"(?:([\d.]+)\s*-\s*)?([\d.]+)", value)
        try:
            start, end = (float(match[1] or 0), float(match[2])) if match else (1.0, 0.0)
        except ValueError:
            return None
        return (start, end) if 0 <= start <= end <= 1 else None

    return _by_word(
        text,
        window,
        "is no word with a window. Write the word, a colon and where its window ends, or where it starts and ends, as"
        ' fractions of the run from 0 to 1: "car: 0.4; blue: 0.1-0.6".',
    )


def _by_word(text: str, read: Callable[[str], Value | None], complaint: str) -> dict[str, Value]:
    """What `read` makes of the value of each entry.

    Raises HRVError that quotes an entry without a word or a legal value, or a word given twice, whatever its capitals.
    """
    values: dict[str, Value] = {}
    seen: set[str] = set()
    for entry in listed(re.sub(r"[;\n]", ",", text)):
        word, _, typed = entry.rpartition(":")
        value = read(typed.strip())
        if not word.strip() or value is None:
            raise HRVError(f'"{entry}" {complaint}')
        if normalised(word) in seen:
            raise HRVError(
                f'"{word.strip()}" appears twice in "{text.strip()}". Give each word one value: take one out.'
            )
        seen.add(normalised(word))
        values[word.strip()] = value
    return values
