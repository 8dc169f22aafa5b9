"""How a person reads a prompt: its characters with their tokens, where words end, where a typed phrase may begin."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise

from ..errors import HRVError

Columns = tuple[int, ...]
Word = tuple[str, Columns]  # a word of the prompt and the columns of its tokens

BLANK, BRACKET, NOTHING = " ", "(", ""  # what may be before a token; a bracket is one of weight syntax
EMBEDDING = "embedding:"  # how the name of a textual-inversion embedding begins in a prompt
SPECIAL = (b"<|startoftext|>", b"<|endoftext|>")  # tokens that a prompt may spell out
LETTER, NAME, SYMBOL, MARK = (
    "letter",
    "name",
    "symbol",
    "mark",
)  # digits are letters; embeddings and special tokens names

HYPHENS, APOSTROPHES, PERIOD = "-\u2010\u2011", "'\u2019", "."
SKIN_TONES = re.compile("[\U0001f3fb-\U0001f3ff]")
UNSPACED = ("CJK UNIFIED", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN")  # of Unicode names
JOINER = "\u200d"  # of emoji
WHITE = re.compile(r"[^\S\x1c-\x1f]+")  # Python counts four separators as blanks that CLIP's tokenizer does not
ESCAPED = re.compile(r"\\([()])")


@dataclass(frozen=True)
class Piece:
    """One semantic token: its column in the context, its bytes, and whether it ends a run of the tokenizer.

    before: what is before such a run in the prompt; vector: which one of an embedding's vectors it is. Each of
    these has the embedding's whole name for its text.
    """

    column: int
    text: bytes
    ends_word: bool
    before: str = BLANK
    vector: int | None = None


@dataclass(frozen=True)
class Character:
    """A character, or the whole name of an embedding or special token, with the columns that hold a part of it.

    before: what is before it in the prompt.
    """

    text: str
    columns: Columns
    before: str


@dataclass(frozen=True)
class Spelling:
    """The characters of a prompt as the tokenizer read them, and where a person ends a word and begins the next.

    Hyphens, apostrophes and periods inside a word belong to it (rose-colored, don't, 3.5). Blanks, other punctuation,
    symbols and the brackets of weights end it.
    """

    characters: tuple[Character, ...]

    @classmethod
    def of(cls, pieces: Sequence[Piece]) -> "Spelling":
        """Decode the tokens."""
        characters, start = list[Character](), 0
        for end, piece in enumerate(pieces, start=1):
            if piece.ends_word or end == len(pieces):
                characters += _characters(pieces[start:end])
                start = end
        return cls(tuple(characters))

    @cached_property
    def words(self) -> tuple[tuple[Word, bool], ...]:
        """Words and runs of punctuation in order, and which is which: punctuation between blanks counts as a word.

        Every column belongs to exactly one of them.
        """
        starts = [at for at, begins in enumerate(self._begins) if begins and not self._shares_token(at)]
        words = []
        for start, end in pairwise([*starts, len(self.characters)]):
            part = self.characters[start:end]
            columns = tuple(dict.fromkeys(column for char in part for column in char.columns))
            alone = part[0].before == BLANK and self._before(end) == BLANK
            is_word = alone or any(kind != MARK for kind in self._kinds[start:end])
            words.append((("".join(char.text for char in part), columns), is_word))
        return tuple(words)

    @cached_property
    def text(self) -> tuple[str, tuple[Columns, ...]]:
        """The prompt without weights, one blank where it has blanks or brackets, and the columns of each character."""
        text, columns = "", list[Columns]()
        for at, char in enumerate(self.characters):
            if text and (
                char.before == BLANK or char.before == BRACKET and self._begins[at] and self._kinds[at] != MARK
            ):
                text += " "
                columns.append(())
            text += char.text
            columns += [char.columns] * len(char.text)
        return text, tuple(columns)

    def find(self, phrase: str) -> list[Columns]:
        """The columns of every occurrence of a phrase, `normalised`, as whole words.

        Where it is none: as parts that the tokenizer keeps apart, "colored" in rose-colored, "girl" in 1girl; and in
        writing without blanks, which shows no words, wherever tokens begin and end.
        """
        only_marks = all(kind_of(char) == MARK for char in phrase)
        whole = self._edges if only_marks else self._edges_of_words
        return (
            self._occurrences(phrase, whole)
            or self._occurrences(phrase, self._inner_edges)
            or self._occurrences(phrase, self._edges_of_tokens)
        )

    def _occurrences(self, phrase: str, edges: Sequence[bool]) -> list[Columns]:
        text, numbers = self._folded
        occurrences, place = [], text.find(phrase)
        while place >= 0:
            start, end = numbers.get(place), numbers.get(place + len(phrase))
            if start is not None and end is not None and edges[start] and edges[end]:
                columns = (column for char in self.characters[start:end] for column in char.columns)
                occurrences.append(tuple(dict.fromkeys(columns)))
            place = text.find(phrase, place + 1)
        return occurrences

    @cached_property
    def _folded(self) -> tuple[str, dict[int, int]]:
        """The characters as phrases are compared with them, and the number of the one that begins at each place."""
        parts = [
            char.text if kind == NAME else fold(char.text)
            for char, kind in zip(self.characters, self._kinds, strict=True)
        ]
        places = accumulate(map(len, parts), initial=0)
        return "".join(parts), {place: number for number, place in enumerate(places)}

    @cached_property
    def _kinds(self) -> list[str]:
        """LETTER, NAME, SYMBOL or MARK; what is attached to a character is of its kind."""
        kinds = list[str]()
        for char in self.characters:
            kinds.append(kind_of(char.text) or (kinds[-1] if kinds and char.before == NOTHING else LETTER))
        return kinds

    @cached_property
    def _joins(self) -> list[bool]:
        """Whether a character is a hyphen, an apostrophe or a period inside a word."""
        return [
            char.text in HYPHENS + APOSTROPHES + PERIOD
            and 0 < at < len(self.characters) - 1
            and self._kinds[at - 1] == self._kinds[at + 1] == LETTER
            and char.before == self.characters[at + 1].before == NOTHING
            for at, char in enumerate(self.characters)
        ]

    @cached_property
    def _begins(self) -> list[bool]:
        """Whether a word, or a run of punctuation, begins at each character."""
        return [self._begins_at(at) for at in range(len(self.characters))]

    def _begins_at(self, at: int) -> bool:
        if at == 0 or self._before(at) != NOTHING or NAME in self._kinds[at - 1 : at + 1]:
            return True
        if self._attached(at) or self._joins[at] or self._joins[at - 1]:
            return False
        return self._kinds[at - 1] != self._kinds[at]

    @cached_property
    def _edges(self) -> list[bool]:
        """Whether a phrase of whole words may begin, or end, before each character and after the last."""
        parted = [joins and char.text in APOSTROPHES for joins, char in zip(self._joins, self.characters, strict=True)]
        inside = [not self._attached(at) and (parted[at - 1] or parted[at]) for at in range(len(self.characters))]
        return [begins or edge for begins, edge in zip(self._begins, inside, strict=True)] + [True]

    @cached_property
    def _edges_of_words(self) -> list[bool]:
        """Besides these, the places inside punctuation, where "U.S." ends in "U.S., a flag"."""
        inside = [
            not self._attached(at) and self._kinds[at - 1] == self._kinds[at] == MARK
            for at in range(len(self.characters))
        ]
        return [edge or inner for edge, inner in zip(self._edges, [*inside, False], strict=True)]

    @cached_property
    def _inner_edges(self) -> list[bool]:
        """Besides these, the places beside joining hyphens and periods, beside digits, and between two symbols."""
        inside = [not self._attached(at) and self._may_part(at) for at in range(len(self.characters))]
        return [edge or inner for edge, inner in zip(self._edges, [*inside, True], strict=True)]

    @cached_property
    def _edges_of_tokens(self) -> list[bool]:
        """Besides these, the places beside a letter of a writing without blanks at which a token ends."""
        unspaced = [without_blanks(char.text) for char in self.characters]
        inside = [
            at > 0 and not self._attached(at) and not self._shares_token(at) and (unspaced[at - 1] or unspaced[at])
            for at in range(len(self.characters))
        ]
        return [edge or inner for edge, inner in zip(self._edges, [*inside, True], strict=True)]

    def _may_part(self, at: int) -> bool:
        if self._joins[at - 1] or self._joins[at] or self._is_digit(at - 1) != self._is_digit(at):
            return True
        return self._kinds[at - 1] == self._kinds[at] != LETTER

    def _before(self, at: int) -> str:
        """What is before a character; a blank at the end of the prompt."""
        return self.characters[at].before if at < len(self.characters) else BLANK

    def _attached(self, at: int) -> bool:
        """Whether a character only changes, or goes on with, the one before it."""
        follows = kind_of(self.characters[at].text) is None or self.characters[at - 1].text == JOINER
        return follows and self.characters[at].before == NOTHING

    def _is_digit(self, at: int) -> bool:
        return unicodedata.category(self.characters[at].text[0])[0] == "N"

    def _shares_token(self, at: int) -> bool:
        """Whether a token holds parts of a character and of the one before it."""
        return at > 0 and not set(self.characters[at - 1].columns).isdisjoint(self.characters[at].columns)


def normalised(phrase: str) -> str:
    """A typed phrase as phrases are compared: composed, case folded, without blanks."""
    parts = WHITE.split(unicodedata.normalize("NFC", phrase))
    return "".join(part if part.startswith(EMBEDDING) else fold(part) for part in parts)


def check_characters(text: str, called: str) -> None:
    """Raise HRVError for a text with half a character, which no tokenizer can read; called: what it is."""
    at = next((place for place, char in enumerate(text, start=1) if "\ud800" <= char <= "\udfff"), None)
    if at is not None:
        raise HRVError(
            f'{called} "{text[:200]}" has half a character at place {at}, which no tokenizer can read: half of an'
            " emoji, cut by another program. Delete it and type it again."
        )


def escaped(text: str) -> str:
    r"""A text whose parentheses ComfyUI reads as characters: \( and \), none of which is a weight."""
    return text.replace("(", r"\(").replace(")", r"\)")


def unescaped(phrase: str) -> str:
    r"""A phrase with \( and \) as the parentheses they stand for in a prompt."""
    return ESCAPED.sub(r"\1", phrase)


def fold(text: str) -> str:
    """Text without the difference of capitals, nor that of σ and ς, which tokenizers lower-case differently."""
    return "".join(char.lower().casefold() for char in text)


def without_blanks(text: str) -> bool:
    """Whether a character is a letter of a writing that puts no blanks between words."""
    return any(unicodedata.name(char, "").startswith(UNSPACED) for char in text[:1])


def kind_of(text: str) -> str | None:
    """LETTER, NAME, SYMBOL or MARK; None for what is attached to the character before it."""
    if len(text) > 1:
        return NAME
    category = unicodedata.category(text)
    if category[0] == "M" or category == "Cf" or SKIN_TONES.match(text):
        return None
    if category[0] in "LN":
        return LETTER
    return SYMBOL if not text.isascii() and (category[0] == "S" or category in ("Co", "Cn")) else MARK


def _characters(pieces: Sequence[Piece]) -> Iterator[Character]:
    """The characters of one run of the tokenizer, whose tokens may end inside a character."""
    before = pieces[0].before
    if pieces[0].vector is not None or pieces[0].text in SPECIAL:
        yield Character(pieces[0].text.decode("utf-8"), tuple(piece.column for piece in pieces), before)
        return
    owners = [piece.column for piece in pieces for _ in piece.text]
    place = 0
    for text in b"".join(piece.text for piece in pieces).decode("utf-8", "surrogateescape"):
        size = len(text.encode("utf-8", "surrogateescape"))
        yield Character(text, tuple(dict.fromkeys(owners[place : place + size])), before)
        before, place = NOTHING, place + size
