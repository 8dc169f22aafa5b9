"""Tokens of language models' tokenizers as pieces of a prompt: by their bytes, the template around it left out."""

import copy
import re
import sys
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ...hrv_engine.errors import HRVError
from ...hrv_engine.text.spelling import BLANK, BRACKET, EMBEDDING, NOTHING, Piece
from .byte_alphabet import byte_of

MARKER = "\u2042"  # stands for the prompt where the template around it is read
SPACE, BYTE_SPACE = "\u2581", "\u0120"  # a blank, of SentencePiece and of byte-level BPE
BYTE = re.compile(r"<0x([0-9A-F]{2})>")
NEAR = 400  # bytes within which a token is looked for after one that the tokenizer could not read
UNKNOWN = "\ufffd".encode()


@dataclass(frozen=True)
class Heard:
    """What one word id of the host stands for: a text as the tokenizer got it, or the name of an embedding.

    ends_blank: whether a blank is after it.
    """

    text: str
    ends_blank: bool
    is_embedding: bool = False


def listened(tokenizer: Any, part: Any, text: str, options: dict[str, Any]) -> tuple[list[Heard], dict[str, list]]:
    """What a tokenizer of the host passes to one of its parts, by word id from 1, and the tokens it makes of all.

    tokenizer: that of a text encoder; part: the comfy.sd1_clip.SDTokenizer in it that is listened to.
    """
    heard: list[Heard] = []

    def read(words: str, **named: Any) -> Any:
        heard.append(Heard(words, words[-1:].isspace()))
        return part.tokenizer(words, **named)

    def look_up(asked: str) -> Any:
        vectors, name, rest = answer = part._try_get_embedding(asked)
        if vectors is not None:
            name = EMBEDDING + unicodedata.normalize("NFC", name.strip(","))
            heard.append(Heard(name, asked != asked.split()[0], is_embedding=True))
        return answer

    listening = copy.copy(part)
    listening.tokenizer, listening._try_get_embedding = read, look_up
    if part is tokenizer:
        return heard, {"": listening.tokenize_with_weights(text, return_word_ids=True, **options)}
    outer = copy.copy(tokenizer)
    for name, value in vars(tokenizer).items():
        if value is part:
            setattr(outer, name, listening)
    return heard, outer.tokenize_with_weights(text, return_word_ids=True, **options)


def pieces(tokenizer: Any, part: Any, key: str, text: str, columns: dict[int, int], options: dict) -> Iterator[Piece]:
    """The tokens of a prompt in reading order, those that have a column.

    key: under which the host keeps the tokens of `part`; columns: of the tokens by their number.
    """
    spelling = _Spelling(part)
    heard, entries = _entries(*listened(tokenizer, part, text, options), key, spelling)
    around, _ = _entries(*listened(tokenizer, part, MARKER, options), key, spelling)
    start, end = _own(heard, around, text)
    base, group, blank, vectors = 0, 0, True, 0
    found: list[Piece] = []
    reading = _Reading(Heard("", False))
    for number, (token, word) in enumerate(entries):
        if not word:
            continue
        of = heard[word - 1]
        if word != group:
            blank = not group or blank or heard[group - 1].ends_blank
            base, group, vectors = base + len(reading.bytes), word, 0
            reading = _Reading(of)
        if of.is_embedding:
            if number in columns:
                found.append(Piece(columns[number], of.text.encode(), True, BLANK if blank else BRACKET, vectors))
            vectors, blank = vectors + 1, False
            continue
        first, spelt = reading.place == 0, spelling.of(token)
        places, skipped = reading.follow(spelt)
        own = bytes(reading.bytes[place] for place in places if start <= base + place < end)
        blank = blank or skipped
        if not places and spelt == UNKNOWN:
            own = spelt
        if own and number in columns:
            before = BLANK if blank or not found else BRACKET if first else NOTHING
            found.append(Piece(columns[number], own, True, before))
            blank = False
    return _in_runs(found)


def _entries(
    heard: list[Heard], tokens: dict[str, list], key: str, spelling: "_Spelling"
) -> tuple[list[Heard], list[tuple[Any, int]]]:
    """What was heard, and (token, word id) of every token; a tokenizer without word ids has read one text."""
    every = [entry for chunk in tokens[key] for entry in chunk]
    if all(len(entry) > 2 for entry in every):
        return heard, [(token, word) for token, _weight, word, *_ in every]
    whole = b"".join(spelling.of(token) for token, *_ in every).decode("utf-8", "replace")
    return [Heard(whole, False)], [(token, 1) for token, *_ in every]


class _Reading:
    """Follows a text token by token: which of its bytes each token holds, whatever became of its blanks."""

    def __init__(self, heard: Heard) -> None:
        self.bytes, self.place = _bytes_of(heard), 0
        text = unicodedata.normalize("NFC", heard.text)
        self.blanks = [char.isspace() for char in text for _ in char.encode("utf-8", "surrogatepass")]

    def follow(self, spelt: bytes) -> tuple[list[int], bool]:
        """The places of a token's bytes that are no blanks, and whether blanks are before the first of them."""
        places: list[int] = []
        wanted, place, skipped = b"".join(spelt.split()), self.place, False
        for byte in wanted:
            while place < len(self.bytes) and self.blanks[place]:
                skipped, place = skipped or not places, place + 1
            if place == len(self.bytes) or self.bytes[place] != byte:
                return self._found(wanted)
            places.append(place)
            place += 1
        if places:
            self.place = place
        return places, skipped

    def _found(self, wanted: bytes) -> tuple[list[int], bool]:
        """The same for a token after something that the tokenizer changed or left out."""
        at = self.bytes.find(wanted, self.place, self.place + NEAR)
        if at < 0:
            return [], False
        skipped = any(self.blanks[self.place : at])
        self.place = at + len(wanted)
        return list(range(at, self.place)), skipped


def _in_runs(found: list[Piece]) -> Iterator[Piece]:
    """The same pieces, of which those end a run that have a blank, a bracket or an embedding after them."""
    for place, piece in enumerate(found):
        after = found[place + 1] if place + 1 < len(found) else None
        ends = after is None or after.before != NOTHING or after.vector is not None
        if piece.vector is not None:
            ends = after is None or after.vector in (None, 0)
        before = NOTHING if piece.vector else piece.before
        yield Piece(piece.column, piece.text, ends, before, piece.vector)


def _own(heard: list[Heard], around: list[Heard], text: str) -> tuple[int, int]:
    """Where the prompt begins and ends in what was read, in bytes: without the template, if there is one."""
    whole, template = (b"".join(map(_bytes_of, part)) for part in (heard, around))
    before, _, after = template.partition(MARKER.encode())
    typed = unicodedata.normalize("NFC", text).encode("utf-8", "surrogatepass")
    if not before and not after or not whole.startswith(before):
        return 0, sys.maxsize
    if whole.startswith(typed, len(before)):
        return len(before), len(before) + len(typed)
    return len(before), len(whole) - len(after)


def _bytes_of(heard: Heard) -> bytes:
    return unicodedata.normalize("NFC", heard.text).encode("utf-8", "surrogatepass")


class _Spelling:
    """The bytes of a tokenizer's tokens: its vocabulary is an alphabet of bytes, or SentencePiece's."""

    def __init__(self, part: Any) -> None:
        self.words = part.inv_vocab
        begins = [word[:1] for word in part.inv_vocab.values()]
        self.by_bytes = begins.count(BYTE_SPACE) > begins.count(SPACE)

    def of(self, token: Any) -> bytes:
        """The bytes of a token."""
        text = self.words.get(int(token), "")
        if self.by_bytes:
            letters = byte_of()
            return bytes(letters[char] for char in text) if set(text) <= letters.keys() else text.encode()
        if match := BYTE.fullmatch(text):
            return bytes([int(match[1], 16)])
        return UNKNOWN if text == "<unk>" else text.replace(SPACE, " ").encode()


def part_of(tokenizer: Any, key: str) -> Any:
    """The part of a text encoder's tokenizer that makes the tokens of a key; raises HRVError if it is hidden."""
    for name in (key, f"clip_{key}"):
        part = getattr(tokenizer, name, None)
        if hasattr(part, "inv_vocab") and hasattr(part, "tokenizer"):
            return part
    raise HRVError(
        f"The tokenizer of this text encoder ({type(tokenizer).__name__}) hides the part that reads {key}, so the words"
        " of a prompt cannot be found. Use ComfyUI's own loader for it."
    )
