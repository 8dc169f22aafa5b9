"""One error type whose message quotes the input, names the legal set and says how to mend it."""

import difflib
import re
import sys
from collections.abc import Iterable

UNSAFE = re.compile(  # control characters but line feed and tab, lone surrogates, what reorders or breaks a line unseen
    "[^\\n\\t\\x20-\\x7e\\xa0-\\u2027\\u202f-\\u2065\\u206a-\\ud7ff\\ue000-\\U0010ffff]"
)


LONGEST = 4000  # characters of a message, whatever it quotes


class HRVError(ValueError):
    """A user can mend this: the message quotes what was given, what is legal and the fix.

    Whatever it quotes, a terminal and ComfyUI's log can take it: see `printable`.
    """

    def __init__(self, message: str = "", *details: object) -> None:
        text = str(message)
        super().__init__(printable(text if len(text) <= LONGEST else f"{text[:LONGEST]}..."), *details)


def printable(text: str) -> str:
    r"""The text with escapes (\x1b, \ud83c) for what would steer a terminal or cannot be written to standard output.

    ComfyUI's log goes to these streams strictly: one character that they cannot encode ends its prompt thread.
    """
    text = UNSAFE.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)
    for stream in (sys.stdout, sys.stderr):
        encoding = getattr(stream, "encoding", None) or "utf-8"
        text = text.encode(encoding, "backslashreplace").decode(encoding)
    return text


def first_line(error: BaseException, most: int = 300) -> str:
    """The first line of another library's error without its full stop, or its kind if it says nothing."""
    lines = str(error).strip().splitlines()
    return lines[0][:most].rstrip(".") if lines else type(error).__name__


def nearest(given: str, legal: Iterable[str], count: int = 3) -> str:
    """The legal names closest to `given`, best first, quoted and comma-separated (all of them if there are few)."""
    names = list(legal)
    by_key = {name.casefold(): name for name in names}
    close = [by_key[key] for key in difflib.get_close_matches(given.casefold(), by_key, n=count, cutoff=0.4)]
    return ", ".join(f'"{name}"' for name in close or names[:8])
