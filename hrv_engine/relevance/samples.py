"""Samples of concept words: each word in sentences, and the same sentences without it (heads by effect)."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ..benchmarks.prompts import PLAIN
from ..errors import HRVError, first_line, nearest
from ..text.spelling import check_characters, escaped
from .concepts import ConceptSet

HOLE = "{}"
OTHERS = "all"  # the name under which templates for every other concept are written
MOST_SAMPLES = 1_000_000


@dataclass(frozen=True)
class Template:
    """A sentence with a place for a word: `a {} dog`, or `a dog [in the {}]`, whose bracket goes with the word."""

    text: str

    def __post_init__(self) -> None:
        check_characters(self.text, "The template")
        brackets = re.findall(r"[\[\]]", self.text)
        inside = re.search(r"\[[^\[\]]*\]", self.text)
        if self.text.count(HOLE) != 1 or brackets not in ([], ["[", "]"]) or (inside and HOLE not in inside[0]):
            raise HRVError(
                f'"{self.text[:100]}" is no template. Write a sentence with {HOLE} once, where the word goes: "a {HOLE}'
                f' dog"; or with brackets around all that goes with the word: "a dog [in the {HOLE}]".'
            )

    def filled(self, word: str) -> str:
        """The sentence with a word, "a" or "an" before it as the word wants it."""
        return _tidy(re.sub(r"[\[\]]", "", self.text), word)

    @property
    def empty(self) -> str:
        """The sentence without the word and what goes with it."""
        return _tidy(re.sub(r"\[[^\]]*\]", HOLE, self.text), "")


@dataclass(frozen=True)
class Templates:
    """The templates of every concept: its own, or those for all others."""

    name: str
    own: Mapping[str, tuple[Template, ...]]
    others: tuple[Template, ...] = ()

    def of(self, concept: str) -> tuple[Template, ...]:
        """The templates of a concept, however its name is capitalised; raises HRVError when there are none."""
        found = {name.casefold(): templates for name, templates in self.own.items()}.get(concept.casefold())
        templates = found or self.others
        if not templates:
            raise HRVError(
                f'The templates "{self.name}" have none for the concept "{concept}", and none for {OTHERS}. Add a line'
                f' "{concept}: a {HOLE} dog", or "{OTHERS}: a photo [of a {HOLE}]".'
            )
        return templates

    @classmethod
    def parse(cls, text: str, name: str = "custom", legal: Sequence[str] | None = None) -> "Templates":
        """One template a line, `Concept: template` or `all: template`; # begins a comment.

        legal: names of concepts that may be named, None for any. Raises HRVError that quotes the line.
        """
        own: dict[str, tuple[Template, ...]] = {}
        for line in re.split(r"\r\n?|\n", text):
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            concept, colon, template = (part.strip() for part in line.partition(":"))
            if not colon or HOLE in concept or not concept:
                raise HRVError(
                    f'The line "{line[:100]}" names no concept. Write "Color: a {HOLE} dog" for one concept, or'
                    f' "{OTHERS}: {line[:60]}" for all that have no line of their own.'
                )
            known = {known.casefold() for known in (*(legal or (concept,)), OTHERS)}
            if concept.casefold() not in known:
                raise HRVError(
                    f'"{concept[:60]}" in the line "{line[:100]}" is none of the concepts. Nearest:'
                    f" {nearest(concept[:60], legal or ())}. Or write {OTHERS}, for all that have no line of their own."
                )
            own[concept.casefold()] = (*own.get(concept.casefold(), ()), Template(template))
        if not own:
            raise HRVError(f'There is no template in "{name}". Write one a line: "Color: a {HOLE} dog".')
        return cls(name, own, own.pop(OTHERS, ()))

    @classmethod
    def load(cls, path: Path) -> "Templates":
        """Read a file of such lines; raises HRVError that names it."""
        try:
            return cls.parse(path.read_text(encoding="utf-8-sig"), path.stem)
        except (OSError, UnicodeDecodeError) as error:
            raise HRVError(f"The templates {path} cannot be read as UTF-8 text: {first_line(error)}.") from error


@dataclass(frozen=True)
class Sample:
    """A concept word in a sentence and the sentence without it; row: the word's number over the whole concept set."""

    row: int
    concept: str
    word: str
    with_word: str
    without: str


@dataclass(frozen=True)
class SampleSet:
    """`rounds` samples of every concept word, numbered round by round, so that a cut build has all words alike.

    In round k word j of a concept is in template j + k of the concept, turn by turn. The digest does not depend on the
    number of rounds: a build can go on with more of them.
    """

    concepts: ConceptSet
    templates: Templates
    rounds: int = 1
    reading: str = PLAIN
    told_reading: None = None

    def __post_init__(self) -> None:
        for concept in self.concepts.concepts:
            self.templates.of(concept.name)
        total = self.rounds * self._words
        if self.rounds < 1 or total > MOST_SAMPLES:
            raise HRVError(
                f"{self.rounds} samples of each of {self._words} words cannot be built: at least one of each, and at"
                f" most {MOST_SAMPLES} in all."
            )

    @property
    def name(self) -> str:
        """The concepts and the templates."""
        return f"{self.concepts.name} in {self.templates.name}"

    @cached_property
    def digest(self) -> str:
        """A short hash of all words in all their templates."""
        every = [
            [concept.name, concept.words, [template.text for template in self.templates.of(concept.name)]]
            for concept in self.concepts.concepts
        ]
        return hashlib.sha256(json.dumps(["effect", every]).encode()).hexdigest()[:16]

    @cached_property
    def samples(self) -> tuple[Sample, ...]:
        """All samples in order."""
        found = []
        for number in range(self.rounds):
            row = 0
            for concept in self.concepts.concepts:
                templates = self.templates.of(concept.name)
                for place, word in enumerate(concept.words):
                    template = templates[(place + number) % len(templates)]
                    texts = escaped(template.filled(word)), escaped(template.empty)
                    found.append(Sample(row, concept.name, escaped(word), *texts))
                    row += 1
        return tuple(found)

    @property
    def prompts(self) -> tuple[str, ...]:
        """The sentences with their words."""
        return tuple(sample.with_word for sample in self.samples)

    def read_as(self, reading: str) -> "SampleSet":
        """The same: parentheses of words and templates are always characters."""
        return self

    @property
    def _words(self) -> int:
        return sum(len(concept.words) for concept in self.concepts.concepts)


def _tidy(text: str, word: str) -> str:
    """The text with `word` in its place, no blank twice or before a comma, and the article that the next word wants."""
    before, _, after = text.partition(HOLE)
    following = f"{word} {after}".strip()
    match = re.search(r"\b([Aa])n?\s+$", before)
    if match and following:
        before = f"{before[: match.start()]}{match[1]}{'n' if following[0] in 'aeiouAEIOU' else ''} "
    text = re.sub(r"\s+", " ", f"{before}{word}{after}")
    return re.sub(r"\s+([,.;])", r"\1", text).strip(" ,;")
