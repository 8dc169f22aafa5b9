"""What ComfyUI's tokenizer reads of a prompt: the texts between brackets and the embeddings, heard as it reads them."""

import copy
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ...hrv_engine.text.spelling import BLANK, BRACKET, EMBEDDING, NOTHING, WHITE


@dataclass(frozen=True)
class Group:
    """The tokens to which ComfyUI gives one word id: those of a text, or the vectors of an embedding.

    before: what stands before each token in the prompt; name: of the embedding, as typed, None for a text.
    """

    before: tuple[str, ...]
    name: str | None = None


def groups(tokenizer: Any, text: str, options: dict[str, Any]) -> tuple[list[Group], list[list[tuple]]]:
    """The groups of a prompt in the order of their word ids (from 1), and its tokens as ComfyUI's tokenizer makes them.

    tokenizer: comfy.sd1_clip.SDTokenizer; its own code does the reading, on a copy that listens.
    """
    heard = _Heard(tokenizer)
    listening = copy.copy(tokenizer)
    listening.tokenizer = heard.read
    listening._try_get_embedding = heard.look_up
    chunks = listening.tokenize_with_weights(text, return_word_ids=True, tokenizer_options=options)
    return heard.groups, chunks


@dataclass
class _Heard:
    """Passes on what a tokenizer asks for and keeps a group of each answer."""

    of: Any
    groups: list[Group] = field(default_factory=list)
    blank: bool = True  # whether what was read last ends with a blank
    cut: bool = False  # whether core cut a blank off the end of the text that it reads next

    def read(self, text: str) -> Any:
        """The tokens of a text: stands in for the tokenizer of transformers."""
        answer = self.of.tokenizer(text)
        count = len(answer["input_ids"][self._semantic])
        first = BLANK if self.blank or text[:1].isspace() else BRACKET
        self._add(Group(tuple(self._before(text, count, first))), self.cut or text[-1:].isspace())
        self.cut = False
        return answer

    def look_up(self, asked: str) -> Any:
        """The vectors of an embedding: stands in for core's look-up."""
        vectors, name, rest = answer = self.of._try_get_embedding(asked)
        if vectors is not None:
            name = unicodedata.normalize("NFC", name.strip(","))
            count = 1 if vectors.ndim == 1 else len(vectors)
            first = BLANK if self.blank else BRACKET
            typed = asked.split()[0]
            self._add(Group((first, *[NOTHING] * (count - 1)), EMBEDDING + name), asked != typed and typed == name)
        self.cut = bool(rest) and asked[-1:].isspace()
        return answer

    def _add(self, group: Group, ends_blank: bool) -> None:
        self.groups.append(group)
        self.blank = ends_blank

    def _before(self, text: str, count: int, first: str) -> Iterator[str]:
        """What stands before each token of a text: a blank where the text has one, which the tokens no longer show."""
        parts = [part for part in WHITE.split(text) if part]
        lengths = [len(ids) for ids in self._ids(parts)]
        if sum(lengths) != count:  # a tokenizer that reads across blanks: each of its runs may be a word
            lengths = [1] * count
        for number, length in enumerate(lengths):
            yield BLANK if number else first
            yield from [NOTHING] * (length - 1)

    def _ids(self, texts: list[str]) -> list[list[int]]:
        """The tokens of each text."""
        return [ids[self._semantic] for ids in self.of.tokenizer(texts)["input_ids"]] if texts else []

    @property
    def _semantic(self) -> slice:
        """The tokens without those that the tokenizer puts around each text."""
        return slice(self.of.tokens_start, -1 if self.of.tokenizer_adds_end_token else None)
