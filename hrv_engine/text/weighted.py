"""Prompts with weights as ComfyUI reads them, (word:1.5), and which columns of the context each weight is for."""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from ..errors import HRVError
from .alignment import TokenTable
from .spelling import EMBEDDING, WHITE, Columns, escaped, fold

IN_BRACKETS = 1.1  # the factor of brackets without a number
LARGEST = 100.0  # the largest weight that can be meant
DEEPEST = 100  # brackets inside brackets
OPEN, CLOSE = "\0\2", "\0\1"  # an escaped bracket while others are read
TAIL = re.compile(  # number, window, concepts: what may follow the last colon of a bracket besides a plain number
    r"\s*([-+]?(?:\d+\.?\d*|\.\d+))\s*(?:@\s*([\d.]+)\s*-\s*([\d.]+)\s*)?(?:(?<=\s)([^\s()\0][^()\0]*))?"
)
ENDS_IN_EMBEDDING = re.compile(rf"(?:^|\s){EMBEDDING}\S+$")


@dataclass(frozen=True)
class Stretch:
    """A part of a prompt with one weight.

    concept: the concepts through whose heads alone it acts, "" for all heads; window: its own part of the sampling.
    """

    text: str
    weight: float = 1.0
    concept: str = ""
    window: tuple[float, float] | None = None

    @property
    def typed(self) -> str:
        """The stretch as one bracket, for errors and reports."""
        window = "" if self.window is None else "@{:g}-{:g}".format(*self.window)
        concept = f" {self.concept}" if self.concept else ""
        return f"({self.text.strip()[:60]}:{self.weight:g}{window}{concept})"


@dataclass(frozen=True)
class WeightedText:
    """A prompt whose brackets were read: its stretches in order, and the text without weights."""

    stretches: tuple[Stretch, ...]

    @classmethod
    def parse(cls, text: str) -> "WeightedText":
        r"""Read brackets as ComfyUI does: `(a)` is 1.1, inside others times 1.1; a number replaces what is around it.

        Besides: `(a:1.5 Color)`, only in the heads of a concept, and `(a:1.5@0-0.4)`, only in a part of the sampling.
        `\(` and `\)` are characters, as is a bracket that nothing closes. Raises HRVError that quotes a number nobody
        can mean.
        """
        hidden = text.replace(r"\)", CLOSE).replace(r"\(", OPEN)
        stretches = [
            replace(stretch, text=stretch.text.replace(CLOSE, ")").replace(OPEN, "("))
            for stretch in _stretches(hidden, Stretch(""))
        ]
        for stretch in stretches:
            _meant(stretch.weight, stretch.typed)  # of brackets inside brackets
        return cls(tuple(_apart(stretches)))

    @property
    def plain(self) -> str:
        """The prompt without weights, brackets that are characters as such."""
        return "".join(stretch.text for stretch in self.stretches)

    @property
    def to_encode(self) -> str:
        """The prompt without weights, as a text encoder is to be given it."""
        return escaped(self.plain)

    def columns(self, table: TokenTable) -> list[Columns]:
        """The columns of each stretch, in the table of the text without weights; a column is one's alone.

        A token that holds characters of several belongs to the one that has most of them.
        """
        typed = [(char, number) for number, stretch in enumerate(self.stretches) for char in _characters(stretch.text)]
        owners: dict[int, int] = {}
        for own in (table, *table.others):
            owners |= _owners(typed, own)
        return [
            tuple(sorted(column for column, owner in owners.items() if owner == number))
            for number in range(len(self.stretches))
        ]


def _owners(typed: Sequence[tuple[str, int]], table: TokenTable) -> dict[int, int]:
    """Column -> number of its stretch, for one text encoder; typed: the characters of the text with these numbers."""
    read = [(char, one.columns) for one in table.spelling.characters for char in _characters(one.text)]
    shares: dict[int, Counter[int]] = {}
    for ours, theirs in _aligned([char for char, _ in typed], [char for char, _ in read]):
        for column in read[theirs][1]:
            shares.setdefault(column, Counter())[typed[ours][1]] += 1
    return {column: share.most_common(1)[0][0] for column, share in shares.items()}


def _stretches(text: str, around: Stretch, depth: int = 0) -> Iterator[Stretch]:
    """The stretches of a text inside a bracket with the weight of `around`."""
    if depth > DEEPEST:
        raise HRVError(f"The prompt has brackets inside brackets more than {DEEPEST} deep. Take some out.")
    for part in _parts(text):
        if len(part) > 1 and part[0] == "(" and part[-1] == ")":
            inner, bracket = _bracket(part[1:-1], around)
            yield from _stretches(inner, bracket, depth + 1)
        else:
            yield replace(around, text=part)


def _parts(text: str) -> Iterator[str]:
    """Brackets of the outermost level, with what they hold, and the texts between them."""
    depth = start = 0
    for place, char in enumerate(text):
        if char == "(":
            if depth == 0 and place > start:
                yield text[start:place]
                start = place
            depth += 1
        elif char == ")":
            depth -= 1
            if depth == 0:
                yield text[start : place + 1]
                start = place + 1
    if start < len(text):
        yield text[start:]


def _bracket(inside: str, around: Stretch) -> tuple[str, Stretch]:
    """The text that a bracket holds, and its weight, concept and window."""
    text, _, tail = inside.rpartition(":")
    read = _tail(tail) if text else None
    if read is None:
        return inside, replace(around, weight=around.weight * IN_BRACKETS)
    number, part, concept = read
    window = None if part is None else _window(*part, inside)
    return text, Stretch("", _meant(number, f"({inside[-60:]})"), concept, window)


def _tail(tail: str) -> tuple[float, tuple[str, str] | None, str] | None:
    """Number, window as typed and concept behind the last colon of a bracket, None for any other text."""
    try:
        return float(tail), None, ""
    except ValueError:
        match = TAIL.fullmatch(tail)
    if match is None:
        return None
    number, start, end, concept = match.groups()
    return float(number), None if start is None else (start, end), (concept or "").strip()


def _window(start: str, end: str, inside: str) -> tuple[float, float]:
    try:
        window = float(start), float(end)
    except ValueError:
        window = (1.0, 0.0)
    if 0 <= window[0] <= window[1] <= 1:
        return window
    raise HRVError(
        f'"({inside[-60:]})": the part of the sampling "@{start}-{end}" is none. Write where it begins and where it'
        " ends, from 0 to 1: (word:1.5@0-0.4)."
    )


def _meant(weight: float, typed: str) -> float:
    if math.isfinite(weight) and abs(weight) <= LARGEST:
        return weight
    raise HRVError(
        f'"{typed}" has a weight that cannot be meant. Use a number from {-LARGEST:g} to {LARGEST:g}: 1 leaves a word'
        " as it is, 0 takes it out, -1 pushes away."
    )


def _apart(stretches: Sequence[Stretch]) -> Iterator[Stretch]:
    """The stretches with a blank beside embeddings that only brackets kept apart from other text."""
    before = " "
    for stretch in stretches:
        touches = not before[-1:].isspace() and not stretch.text[:1].isspace()
        if touches and (stretch.text.startswith(EMBEDDING) or ENDS_IN_EMBEDDING.search(before)):
            stretch = replace(stretch, text=f" {stretch.text}")
        before = stretch.text or before
        yield stretch


def _characters(text: str) -> Iterator[str]:
    """The characters of a text as both sides are compared: composed, folded, without blanks."""
    start = 0
    for end in range(1, len(text) + 1):
        if end == len(text) or not unicodedata.combining(text[end]):
            yield from (char for char in fold(unicodedata.normalize("NFC", text[start:end])) if not WHITE.match(char))
            start = end


def _aligned(ours: list[str], theirs: list[str]) -> Iterator[tuple[int, int]]:
    """Places of one list with the places of the other that hold the same; what differs is matched in proportion."""
    length = min(len(ours), len(theirs))
    first = next((place for place in range(length) if ours[place] != theirs[place]), length)
    yield from ((place, place) for place in range(first))
    ours, theirs = ours[first:], theirs[first:]
    for kind, start, end, there, until in SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes():
        if kind in ("equal", "replace"):
            for place in range(there, until):
                yield first + start + (place - there) * (end - start) // (until - there), first + place
