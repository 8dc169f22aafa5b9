"""Editing benchmarks as readable YAML: pairs of prompts that differ in one word of a concept (Table 9)."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import gcd
from pathlib import Path
from typing import Any

from ..errors import HRVError
from ..storage import plain_yaml
from ..storage.plain_json import excerpt

MOST = 100_000  # pairs of one benchmark


@dataclass(frozen=True)
class EditingPair:
    """A source prompt, the target with one word exchanged, both words, and the concept of the words.

    left_open: what the prompts do not say and an edit should keep, a family of the pocket scorer; None for nothing.
    thing: the object of both prompts; None if they name none.
    """

    concept: str
    source: str
    target: str
    source_word: str
    edited_word: str
    left_open: str | None = None
    thing: str | None = None


def load_editing(path: Path) -> dict[str, list[EditingPair]]:
    """The pairs of an editing benchmark by concept, object by object for each pair of words; raises HRVError."""
    try:
        data = plain_yaml.read(path)
        if sum(len(edit["pairs"]) * len(edit.get("objects", [None])) for edit in data["edits"].values()) > MOST:
            raise ValueError(f"it has more than {MOST} pairs")
        return {
            str(concept): [
                EditingPair(str(concept), *_prompts(edit, thing, before, after), _text(edit.get("open")), _text(thing))
                for before, after in edit["pairs"]
                for thing in edit.get("objects", [None])
            ]
            for concept, edit in data["edits"].items()
        }
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise HRVError(
            f"The editing benchmark {path.name} cannot be read: {type(error).__name__} {error}. The file needs `edits`,"
            " each with a `template` that holds {x} and perhaps {object}, `objects` for it, and `pairs` of two words."
        ) from error


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _prompts(edit: Mapping[str, Any], thing: Any, before: str, after: str) -> tuple[str, str, str, str]:
    """Source prompt, target prompt, and their words."""
    template = str(edit["template"])
    if "{x}" not in template or ("{object}" in template) != (thing is not None):
        raise ValueError(f"no {{x}} in {excerpt(template)}, or {{object}} without objects")
    whole = template.replace("{object}", str(thing))
    return whole.replace("{x}", str(before)), whole.replace("{x}", str(after)), str(before), str(after)


def spread(pairs: list[EditingPair], count: int) -> list[EditingPair]:
    """`count` pairs that vary in words and in objects; all when there are not more."""
    if count >= len(pairs):
        return pairs
    objects = len({pair.thing for pair in pairs})
    steps = range(max(1, len(pairs) // count), len(pairs))
    stride = next(
        (step for step in steps if (objects == 1 or step % objects) and count * gcd(step, len(pairs)) <= len(pairs)),
        1,
    )
    return [pairs[number * stride % len(pairs)] for number in range(count)]
