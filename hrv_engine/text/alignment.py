"""Word -> token spans: which columns of the context hold a word, whatever the chunks, weights and pieces."""

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass

from ..errors import HRVError, nearest

CHUNK = 77  # tokens of one CLIP chunk; the first is the begin-of-text token

Columns = tuple[int, ...]
Word = tuple[str, Columns]  # a word of the prompt and the columns of its tokens


@dataclass(frozen=True)
class Piece:
    """One semantic token: its column in the context, its bytes, and whether it ends a word."""

    column: int
    text: bytes
    ends_word: bool


@dataclass(frozen=True)
class TokenTable:
    """The semantic tokens of an encoded prompt in reading order (special tokens and padding left out)."""

    prompt: str
    pieces: tuple[Piece, ...]

    @property
    def columns(self) -> Columns:
        """The columns of all semantic tokens."""
        return tuple(piece.column for piece in self.pieces)

    def spans(self) -> list[Word]:
        """The words as the tokenizer split them, each with its columns, in reading order."""
        words, start = list[Word](), 0
        for end, piece in enumerate(self.pieces, start=1):
            if piece.ends_word or end == len(self.pieces):
                pieces = self.pieces[start:end]
                text = b"".join(piece.text for piece in pieces).decode("utf-8", "replace")
                words.append((text, tuple(piece.column for piece in pieces)))
                start = end
        return words

    def words(self) -> list[str]:
        """The words as the tokenizer split them, in reading order."""
        return [word for word, _ in self.spans()]

    def words_at(self, columns: Collection[int]) -> list[str]:
        """The words that have a token in one of the columns, in reading order, once for each occurrence."""
        return [word for word, own in self.spans() if not set(own).isdisjoint(columns)]

    def spaced(self) -> list[Word]:
        """The words between the blanks of the prompt, such as polka-dot, with their columns, in reading order.

        Weights are left out; a textual-inversion embedding is one word, whatever the number of its vectors.
        """
        text, place, last = _without_weights(self.prompt), 0, b""
        words: list[tuple[bytes, list[int]]] = []
        for piece in self.pieces:
            start = text.find(piece.text, place)  # -1 for the vectors of an embedding, which have no text
            apart = piece.text != last if start < 0 else b" " in text[place:start]
            if apart or not words:
                words.append((b"", []))
            words[-1] = (words[-1][0] + piece.text, [*words[-1][1], piece.column])
            place, last = (place if start < 0 else start + len(piece.text)), piece.text
        return [(word.decode("utf-8", "replace"), tuple(columns)) for word, columns in words]

    def find(self, phrase: str) -> list[Columns]:
        """Every occurrence of a word or phrase as its columns, whole words only, ignoring case and spaces."""
        wanted = normalised(phrase)
        if not wanted:
            raise HRVError(
                f'The word "{phrase}" has no tokens: nothing is left of it after removing spaces. Type a word of the'
                f' prompt "{self.prompt}".'
            )
        occurrences = []
        for start in range(len(self.pieces)):
            if start and not self.pieces[start - 1].ends_word:
                continue
            read = b""
            for stop in range(start, len(self.pieces)):
                read += self.pieces[stop].text
                if not wanted.startswith(read):
                    break
                if read == wanted and self.pieces[stop].ends_word:
                    occurrences.append(tuple(piece.column for piece in self.pieces[start : stop + 1]))
                    break
        return occurrences

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
                " exactly as the prompt has it, without weights."
            )
        if not 0 <= occurrence <= len(occurrences):
            times = "once" if len(occurrences) == 1 else f"{len(occurrences)} times"
            raise HRVError(
                f'"{phrase}" occurs {times} in the prompt "{self.prompt}", so there is no occurrence {occurrence}. Use'
                f" 1 to {len(occurrences)}, or 0 for all."
            )
        return occurrences[occurrence - 1] if occurrence else self.columns_anywhere(phrase)


def normalised(text: str) -> bytes:
    """Text as CLIP's tokenizer reads it: composed, lower case, without spaces, as bytes."""
    return "".join(unicodedata.normalize("NFC", text).lower().split()).encode("utf-8", "surrogatepass")


def _without_weights(prompt: str) -> bytes:
    """A prompt as the tokenizer reads it, blanks kept as single spaces, the numbers of weights removed."""
    text = re.sub(r":\s*[-+]?[\d.]+\s*(?=\))", "", unicodedata.normalize("NFC", prompt).lower())
    return re.sub(r"\s", " ", text).encode("utf-8", "surrogatepass")
