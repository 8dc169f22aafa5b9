"""Numbers for single words as a user types them: "car: 2, night sky: -1" and "car: 0.1-0.4; blue: 0.5"."""

import re

from ..errors import HRVError


def parse_word_values(text: str, low: float = -10.0, high: float = 10.0) -> dict[str, float]:
    """Word or phrase -> number from low to high; entries apart by comma, semicolon or line; raises HRVError."""
    found: dict[str, float] = {}
    for entry, word, value in _entries(text):
        try:
            found[word] = float(value)
        except ValueError:
            found[word] = float("nan")
        if not word or not low <= found[word] <= high:
            raise HRVError(
                f'"{entry}" is no word with a number. Write the word, a colon and a number from {low:g} to {high:g},'
                ' several separated by commas: "red: 2, car: -1".'
            )
    return found


def parse_word_windows(text: str) -> dict[str, tuple[float, float]]:
    """Word or phrase -> (start, end) as fractions of the run; one number alone is the end. Raises HRVError."""
    found: dict[str, tuple[float, float]] = {}
    for entry, word, value in _entries(text):
        match = re.fullmatch(r"(?:([\d.]+)\s*-\s*)?([\d.]+)", value)
        try:
            start, end = (float(match[1] or 0), float(match[2])) if match else (1.0, 0.0)
        except ValueError:
            start, end = 1.0, 0.0
        if not word or not 0 <= start <= end <= 1:
            raise HRVError(
                f'"{entry}" is no word with a window. Write the word, a colon and where its window ends, or where it'
                ' starts and ends, as fractions of the run from 0 to 1: "car: 0.4; blue: 0.1-0.6".'
            )
        found[word] = (start, end)
    return found


def _entries(text: str) -> list[tuple[str, str, str]]:
    """(entry, word, value) of every entry that is not blank."""
    entries = [entry.strip() for entry in re.split(r"[,;\n]", text) if entry.strip()]
    parts = [(entry, *entry.rpartition(":")) for entry in entries]
    return [(entry, word.strip(), value.strip()) for entry, word, _, value in parts]
