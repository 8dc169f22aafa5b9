"""Word -> token spans: where the words of a prompt stand in the context, whatever the chunks, weights and pieces."""

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass

from ..errors import HRVError, nearest

CHUNK = 77  # tokens of one CLIP chunk; the first is the begin-of-text token

Columns = tuple[int, ...]


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
    def columns(self) -> tuple[int, ...]:
        """The columns of all semantic tokens."""
        return tuple(piece.column for piece in self.pieces)

    def words(self) -> list[str]:
        """The words as the tokenizer split them, in reading order."""
        words, start = [], 0
        for index, piece in enumerate(self.pieces):
            if piece.ends_word or index == len(self.pieces) - 1:
                words.append(b"".join(p.text for p in self.pieces[start : index + 1]).decode("utf-8", "replace"))
                start = index + 1
        return words

    def words_at(self, columns: Collection[int]) -> list[str]:
        """The words that have a token in one of the columns, in reading order, each time they stand there."""
        words, start = [], 0
        for index, piece in enumerate(self.pieces):
            if piece.ends_word or index == len(self.pieces) - 1:
                pieces = self.pieces[start : index + 1]
                if any(one.column in columns for one in pieces):
                    words.append(b"".join(one.text for one in pieces).decode("utf-8", "replace"))
                start = index + 1
        return words

    def spaced(self) -> list[tuple[str, tuple[int, ...]]]:
        """The words between the blanks of the prompt, such as polka-dot, with their columns, in reading order.

        Weights are left out; a textual-inversion embedding is one word, whatever the number of its vectors.
        """
        text, place, last = _without_weights(self.prompt), 0, b""
        words: list[tuple[bytes, list[int]]] = []
        for piece in self.pieces:
            found = text.find(piece.text, place)  # an embedding's vectors are nowhere
            apart = piece.text != last if found < 0 else b" " in text[place:found]
            if apart or not words:
                words.append((b"", []))
            words[-1] = (words[-1][0] + piece.text, [*words[-1][1], piece.column])
            place, last = (place if found < 0 else found + len(piece.text)), piece.text
        return [(word.decode("utf-8", "replace"), tuple(columns)) for word, columns in words]

    def find(self, phrase: str) -> list[tuple[int, ...]]:
        """Every occurrence of a word or phrase as its columns, whole words only, ignoring case and spaces."""
        wanted = normalised(phrase)
        if not wanted:
            raise HRVError(
                f'The word "{phrase}" has no tokens: nothing is left of it after removing spaces. Type a word of the'
                f' prompt "{self.prompt}".'
            )
        found = []
        for start in range(len(self.pieces)):
            if start and not self.pieces[start - 1].ends_word:
                continue
            read = b""
            for stop in range(start, len(self.pieces)):
                read += self.pieces[stop].text
                if not wanted.startswith(read):
                    break
                if read == wanted and self.pieces[stop].ends_word:
                    found.append(tuple(piece.column for piece in self.pieces[start : stop + 1]))
                    break
        return found

    def columns_of(self, phrase: str, occurrence: int = 0) -> tuple[int, ...]:
        """The columns of a word or phrase: all its tokens, of all occurrences (0) or of the nth (from 1).

        Raises HRVError that quotes the prompt and the nearest words when it is not there.
        """
        found = self.find(phrase)
        if not found:
            raise HRVError(
                f'The word "{phrase}" is not in the prompt "{self.prompt}". Nearest words there: '
                f"{nearest(phrase, dict.fromkeys(self.words())) or 'none, the prompt is empty'}. Type a word or phrase"
                " exactly as the prompt has it, without weights."
            )
        if not 0 <= occurrence <= len(found):
            times = "once" if len(found) == 1 else f"{len(found)} times"
            raise HRVError(
                f'"{phrase}" occurs {times} in the prompt "{self.prompt}", so there is no occurrence {occurrence}. Use'
                f" 1 to {len(found)}, or 0 for all."
            )
        chosen = found if occurrence == 0 else [found[occurrence - 1]]
        return tuple(dict.fromkeys(column for columns in chosen for column in columns))


def normalised(text: str) -> bytes:
    """Text as CLIP's tokenizer reads it: composed, lower case, without spaces, as bytes."""
    return "".join(unicodedata.normalize("NFC", text).lower().split()).encode()


def _without_weights(prompt: str) -> bytes:
    """A prompt as the tokenizer reads it, blanks kept as single spaces, the numbers of weights removed."""
    text = re.sub(r":\s*[-+]?[\d.]+\s*(?=\))", "", unicodedata.normalize("NFC", prompt).lower())
    return re.sub(r"\s", " ", text).encode()
