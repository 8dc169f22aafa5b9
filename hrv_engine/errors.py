"""One error type whose message quotes the input, names the legal set and says how to mend it."""

import difflib
from collections.abc import Iterable


class HRVError(ValueError):
    """A user can mend this: the message quotes what was given, what is legal and the fix."""


def nearest(given: str, legal: Iterable[str], count: int = 3) -> str:
    """The legal names closest to `given`, best first, quoted and comma-separated (all of them if there are few)."""
    names = list(legal)
    by_key = {name.casefold(): name for name in names}
    close = [by_key[key] for key in difflib.get_close_matches(given.casefold(), by_key, n=count, cutoff=0.4)]
    return ", ".join(f'"{name}"' for name in close or names[:8])
