"""JSON from files that anyone may have written: finite numbers, bounded depth and length, one kind of error."""

import json
import math
import reprlib
from typing import Any, NoReturn

DIGITS = 20  # of a whole number: what uint64 has
EXCERPT = 60
SHORT = reprlib.Repr()
SHORT.maxlevel, SHORT.maxlist, SHORT.maxdict, SHORT.maxtuple, SHORT.maxstring = 3, 5, 3, 5, EXCERPT


def parse(text: Any) -> Any:
    """The value of a JSON text; ValueError for anything else: NaN, 1e999, a key given twice, great depth or length."""
    if not isinstance(text, (str, bytes)):
        raise ValueError(f"it is no text, but {excerpt(text)}")
    try:
        return _DECODER.decode(text if isinstance(text, str) else text.decode("utf-8"))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def excerpt(value: Any) -> str:
    """A short piece of a value for an error; it is never printed as a whole, however large or deep it is."""
    try:
        text = SHORT.repr(value)
    except ValueError:  # a number of thousands of digits
        return f"a {type(value).__name__}"
    return text if len(text) <= EXCERPT else text[:EXCERPT] + "..."


def _whole(text: str) -> int:
    if len(text.lstrip("-")) > DIGITS:
        raise ValueError(f"a whole number has {len(text)} digits")
    return int(text)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:EXCERPT]} is too large a number")
    return number


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a key appears twice")
    return made


_DECODER = json.JSONDecoder(parse_int=_whole, parse_float=_finite, parse_constant=_no_number, object_pairs_hook=_unique)
