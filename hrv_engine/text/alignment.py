"""Word -> token spans: which columns of the context hold a word, whatever the chunks, weights and pieces."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import zip_longest

from ..errors import HRVError, nearest
from .spelling import Columns, Piece, Spelling, Word, normalised, unescaped

__all__ = ["CHUNK", "Columns", "Piece", "TokenTable", "Word"]

CHUNK = 77  # tokens of one CLIP chunk; the first is the begin-of-text token


@dataclass(frozen=True)
class TokenTable:
    """The semantic tokens of an encoded prompt in reading order (special tokens and padding left out).

    length: of the context they are part of, None if unknown; unknown: columns after it that a node appended, such as
    ConditioningConcat those of a second prompt, and whose words nobody knows. others: tables of the same prompt in
    columns of other text encoders of one context (SD3: T5 beside CLIP).
    """

    prompt: str
    pieces: tuple[Piece, ...]
    length: int | None = None
    unknown: int = 0
    others: tuple["TokenTable", ...] = ()

    @property
    def columns(self) -> Columns:
        """The columns of all semantic tokens."""
        own = tuple(piece.column for piece in self.pieces)
        return own + tuple(column for table in self.others for column in table.columns)

    @cached_property
    def spelling(self) -> Spelling:
        """The characters of the prompt, and its words as a person reads them."""
        return Spelling.of(self.pieces)

    def followed_by(self, table: "TokenTable") -> "TokenTable":
        """The table of a context to which that of another prompt was appended; both know their length."""
        assert self.length is not None and table.length is not None
        appended = tuple(replace(piece, column=self.length + piece.column) for piece in table.pieces)
        prompt = f"{self.prompt}\n{table.prompt}"
        others = tuple(map(TokenTable.followed_by, self.others, table.others))
        return TokenTable(prompt, self.pieces + appended, self.length + table.length, others=others)

    def spans(self) -> list[Word]:
        """Words and runs of punctuation with their columns, in reading order; every column is in exactly one."""
        return [word for word, _ in self.spelling.words]

    def words(self) -> list[str]:
        """The words and runs of punctuation, in reading order."""
        return [word for word, _ in self.spans()]

    def spoken(self) -> list[Word]:
        """The words without the punctuation around them, with their columns; punctuation between blanks is a word."""
        return [word for word, spoken in self.spelling.words if spoken]

    def words_at(self, columns: Collection[int]) -> list[str]:
        """The words that have a token in one of the columns, in reading order, once for each occurrence."""
        return [word for word, own in self.spans() if not set(own).isdisjoint(columns)]

    def find(self, phrase: str) -> list[Columns]:
        r"""Every occurrence of a word or phrase as its columns, whole words only, ignoring case and spaces.

        The columns are those of all tokens that hold a part of it. Escaped brackets, \( and \), may be typed as such or
        plainly; an embedding is found by its name, "embedding:name".
        """
        wanted = normalised(phrase)
        if not wanted:
            raise HRVError(
                f'The word "{phrase}" has no tokens: nothing is left of it after removing spaces. Type a word of the'
                f' prompt "{self.prompt}".'
            )
        own = self.spelling.find(wanted) or self.spelling.find(unescaped(wanted))
        for table in self.others:
            own = [one + more for one, more in zip_longest(own, table.find(phrase), fillvalue=())]
        return own

    def columns_anywhere(self, phrase: str) -> Columns:
        """The columns of all occurrences of a word or phrase, each once; none where the prompt does not have it."""
        return tuple(dict.fromkeys(column for columns in self.find(phrase) for column in columns))

    def columns_of(self, phrase: str, occurrence: int = 0) -> Columns:
        """The columns of a word or phrase: all its tokens, of all occurrences (0) or of the nth (from 1).

        Raises HRVError that quotes the prompt and the nearest words when it is not there.
        """
        occurrences = self.find(phrase)
        if not occurrences:
            raise HRVError(
                f'The word "{phrase}" is not in the prompt "{self.prompt}". Nearest words there: '
                f"{nearest(phrase, dict.fromkeys(self.words())) or 'none, the prompt is empty'}. Type a word or phrase"
                f" exactly as the prompt has it, without weights.{self._of_unknown()}"
            )
        if not 0 <= occurrence <= len(occurrences):
            times = "once" if len(occurrences) == 1 else f"{len(occurrences)} times"
            raise HRVError(
                f'"{phrase}" occurs {times} in the prompt "{self.prompt}", so there is no occurrence {occurrence}. Use'
                f" 1 to {len(occurrences)}, or 0 for all."
            )
        return occurrences[occurrence - 1] if occurrence else self.columns_anywhere(phrase)

    def _of_unknown(self) -> str:
        if not self.unknown:
            return ""
        return (
            f" {self.unknown} further columns were appended to it, as ConditioningConcat does, and their words are not"
            " known. To find these, connect HRV Tag Conditioning after that node, with the text that was appended."
        )
