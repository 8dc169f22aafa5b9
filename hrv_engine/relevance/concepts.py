"""Concept and ConceptSet: human visual concepts, each with the words that name it."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ..errors import UNSAFE, HRVError, first_line, nearest
from ..storage import plain_yaml
from ..storage.plain_json import excerpt

LISTED = 60  # names that an error lists
KEYS = ("name", "extends", "concepts", "description", "source")  # of a file; the last two are for its readers


@dataclass(frozen=True)
class Concept:
    """A visual concept (Color) and its concept words (Red, Blue, ...)."""

    name: str
    words: tuple[str, ...]


@dataclass(frozen=True)
class ConceptSet:
    """An ordered set of concepts; row i of an HRV belongs to concept i (section 3.1)."""

    name: str
    concepts: tuple[Concept, ...]

    def __post_init__(self) -> None:
        if not self.concepts:
            raise HRVError(
                f'The concept set "{self.name}" is empty. Give one or more concepts, each with one or more words (a'
                " build needs two or more, since concepts compete for votes)."
            )
        seen: set[str] = set()
        for concept in self.concepts:
            odd = next(filter(UNSAFE.search, (concept.name, *concept.words)), None)
            if odd is not None:
                raise HRVError(
                    f'"{odd[:60]}" of the concept "{concept.name[:60]}" holds a control character or half of one. Type'
                    " it again."
                )
            folded = concept.name.strip().casefold()
            if folded in seen:
                raise HRVError(
                    f'The concept name "{concept.name}" appears twice in "{self.name}" (capitals do not count). Each'
                    " concept needs a name of its own: rename one."
                )
            seen.add(folded)
            if not folded or "," in folded:
                raise HRVError(
                    f'"{concept.name}" cannot name a concept: a name must not be empty and must not contain a comma,'
                    ' which separates concepts. Write, for instance, "Fruits and Vegetables".'
                )
            if not concept.words or any(not str(word).strip() for word in concept.words):
                raise HRVError(
                    f'The concept "{concept.name}" has an empty word list or an empty word. Give it one or more words.'
                )

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Concept names in row order."""
        return tuple(concept.name for concept in self.concepts)

    @property
    def digest(self) -> str:
        """A short hash of names and words in order."""
        return hashlib.sha256(json.dumps(self.to_json()["concepts"]).encode()).hexdigest()[:16]

    def index(self, name: str) -> int:
        """Row of a concept, ignoring case and, where only one fits, a plural s; raises HRVError with the nearest."""
        given = name.strip().casefold()
        row, alike = self._rows.get(given), self._alike.get(_singular(given), [])
        if row is not None:
            return row
        if len(alike) == 1:
            return alike[0]
        more = f" and {len(self.names) - LISTED} more" if len(self.names) > LISTED else ""
        raise HRVError(
            f'There is no concept "{name[:60]}" in "{self.name}". Nearest: {nearest(name[:60], self.names)}. '
            f"Legal: {', '.join(self.names[:LISTED])}{more}."
        )

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {known.strip().casefold(): row for row, known in enumerate(self.names)}

    @cached_property
    def _alike(self) -> dict[str, list[int]]:
        alike: dict[str, list[int]] = {}
        for known, row in self._rows.items():
            alike.setdefault(_singular(known), []).append(row)
        return alike

    def keep(self, names: Iterable[str]) -> "ConceptSet":
        """The same set reduced to `names`, in their original order."""
        rows = sorted({self.index(name) for name in names})
        return ConceptSet(self.name, tuple(self.concepts[row] for row in rows))

    def to_json(self) -> dict[str, Any]:
        """{"name", "concepts": [[name, [words]], ...]} - a list, so that row order survives."""
        return {"name": self.name, "concepts": [[concept.name, list(concept.words)] for concept in self.concepts]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "ConceptSet":
        """The inverse of `to_json`; KeyError, TypeError or ValueError for anything else."""
        name, concepts = data["name"], data["concepts"]
        if not isinstance(concepts, list) or any(not isinstance(entry, list) or len(entry) != 2 for entry in concepts):
            raise TypeError("concepts must be a list of names, each with its words")
        for text, words in ([name, []], *concepts):
            if not isinstance(words, list) or any(not isinstance(word, str) for word in (text, *words)):
                raise TypeError(f"a concept has a name and a list of words, not {excerpt([text, words])}")
        return cls(name, tuple(Concept(text, tuple(words)) for text, words in concepts))

    @classmethod
    def parse(
        cls, text: str, fallback_name: str = "custom", folder: Path | None = None, above: tuple[str, ...] = ()
    ) -> "ConceptSet":
        """Read YAML: `{name, extends, concepts: {Color: [Red, ...]}}` or just the inner mapping; raises HRVError.

        description and source may stand beside concepts and are not read.
        extends: the name of another set in `folder`, whose concepts come first (appendix J); above: the sets that
        extend this one, to notice a cycle.
        """
        try:
            data = plain_yaml.parse(text)
        except ValueError as error:
            raise HRVError(
                f"These concepts are not valid YAML: {error}. Write one line per concept, `Color: [red, green, blue]`."
            ) from error
        if not isinstance(data, dict):
            raise HRVError(
                f"Concepts must be a mapping from concept to words, not {excerpt(data)}. Write `Color: [red, green,"
                " blue]`."
            )
        stray = next((key for key in data if key not in KEYS), None) if "concepts" in data else None
        if stray is not None:
            raise HRVError(
                f"{excerpt(stray)} appears beside `concepts`, where it would not be read. Legal there:"
                f" {', '.join(KEYS)}. Indent it below `concepts:` if it is a concept, or take it out."
            )
        concepts = data.get("concepts", {key: words for key, words in data.items() if key != "extends"})
        _check_words(concepts)
        name = data.get("name", fallback_name) if "concepts" in data else fallback_name
        name = name if isinstance(name, str) else excerpt(name)
        base = _extended(data["extends"], folder, above) if "extends" in data else ()
        return cls(name, (*base, *(Concept(key, tuple(words)) for key, words in concepts.items())))

    @classmethod
    def load(cls, path: Path, above: tuple[str, ...] = ()) -> "ConceptSet":
        """Read a YAML file, which may extend another one of its folder; raises HRVError that names the file."""
        try:
            with path.open("rb") as file:
                text = file.read(4 * plain_yaml.LARGEST + 1).decode("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise HRVError(f"The concept file {path} cannot be read as UTF-8 text: {first_line(error)}.") from error
        try:
            return cls.parse(text, path.stem, path.parent, (*above, path.stem))
        except HRVError as error:
            raise HRVError(f"{path}: {error}") from error


def _check_words(concepts: Any) -> None:
    """Raise HRVError unless this maps texts to lists of texts."""
    if not isinstance(concepts, dict):
        raise HRVError(f"`concepts` must map each concept to its words, not {excerpt(concepts)}.")
    for name, words in concepts.items():
        if not isinstance(words, list):
            raise HRVError(
                f'The words of "{name}" must be a list, not {excerpt(words)}. Write `{name}: [one, two, three]`.'
            )
        for text in (name, *words):
            if not isinstance(text, str):
                raise HRVError(
                    f'YAML reads {excerpt(text)} of the concept "{name}" as a {type(text).__name__}, not as text (so it'
                    ' does with yes, no, on, off and numbers). Put it in quotes: "yes", "1".'
                )


def _extended(base: Any, folder: Path | None, above: tuple[str, ...]) -> tuple[Concept, ...]:
    """The concepts of the set that `extends` names; raises HRVError for one that is not there or extends itself."""
    legal = [] if folder is None else sorted(path.stem for path in folder.glob("*.yaml"))
    if base in above:
        raise HRVError(
            f"Concept sets extend each other in a circle: {' extends '.join((*above, base))}. Take `extends` out of one"
            " of them."
        )
    if base not in legal or folder is None:
        named = base if isinstance(base, str) else excerpt(base)
        raise HRVError(
            f"`extends: {named}` names no concept set. Write the name of one that lies in the same folder, without"
            f" .yaml; legal: {', '.join(legal) or 'none here'}."
        )
    return ConceptSet.load(folder / f"{base}.yaml", above).concepts


def _singular(name: str) -> str:
    """A name without the s of a plural: plants, plant; berries, berry."""
    if name.endswith("ies"):
        return name[:-3] + "y"
    return name[:-1] if name.endswith("s") and not name.endswith("ss") else name
