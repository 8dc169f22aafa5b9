"""Concept and ConceptSet: human visual concepts, each with the words that name it."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ..errors import HRVError, nearest
from ..plain_json import excerpt


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

    @property
    def names(self) -> tuple[str, ...]:
        """Concept names in row order."""
        return tuple(concept.name for concept in self.concepts)

    @property
    def digest(self) -> str:
        """A short hash of names and words in order."""
        return hashlib.sha256(json.dumps(self.to_json()["concepts"]).encode()).hexdigest()[:16]

    def index(self, name: str) -> int:
        """Row of a concept, ignoring case and, where only one fits, a plural s; raises HRVError with the nearest."""
        folded = [known.strip().casefold() for known in self.names]
        given = name.strip().casefold()
        alike = [row for row, known in enumerate(folded) if _singular(known) == _singular(given)]
        if given not in folded and len(alike) == 1:
            return alike[0]
        if given not in folded:
            raise HRVError(
                f'There is no concept "{name}" in "{self.name}". Nearest: {nearest(name, self.names)}. '
                f"Legal: {', '.join(self.names)}."
            )
        return folded.index(given)

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

        extends: the name of another set in `folder`, whose concepts come first (appendix J); above: the sets that
        extend this one, to notice a cycle.
        """
        try:
            data = yaml.load(text, Loader=_UniqueKeyLoader)  # noqa: S506 - a SafeLoader that refuses duplicate keys
        except yaml.YAMLError as error:
            raise HRVError(
                f"These concepts are not valid YAML: {error}. Write one line per concept, `Color: [red, green, blue]`."
            ) from error
        if not isinstance(data, dict):
            raise HRVError(
                f"Concepts must be a mapping from concept to words, not {str(data)[:60]!r}. Write `Color: [red, green,"
                " blue]`."
            )
        concepts = data.get("concepts", {key: words for key, words in data.items() if key != "extends"})
        _check_words(concepts)
        name = str(data.get("name", fallback_name)) if "concepts" in data else fallback_name
        base = _extended(data["extends"], folder, above) if "extends" in data else ()
        return cls(name, (*base, *(Concept(key, tuple(words)) for key, words in concepts.items())))

    @classmethod
    def load(cls, path: Path, above: tuple[str, ...] = ()) -> "ConceptSet":
        """Read a YAML file, which may extend another one of its folder; raises HRVError that names the file."""
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise HRVError(f"The concept file {path} cannot be read as UTF-8 text: {error}.") from error
        try:
            return cls.parse(text, path.stem, path.parent, (*above, path.stem))
        except HRVError as error:
            raise HRVError(f"{path}: {error}") from error


def _check_words(concepts: Any) -> None:
    """Raise HRVError unless this maps texts to lists of texts."""
    if not isinstance(concepts, dict):
        raise HRVError(f"`concepts` must map each concept to its words, not {str(concepts)[:60]!r}.")
    for name, words in concepts.items():
        if not isinstance(words, list):
            raise HRVError(
                f'The words of "{name}" must be a list, not {str(words)[:60]!r}. Write `{name}: [one, two, three]`.'
            )
        for text in (name, *words):
            if not isinstance(text, str):
                raise HRVError(
                    f'YAML reads {text!r} of the concept "{name}" as a {type(text).__name__}, not as text (so it'
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
        raise HRVError(
            f"`extends: {base}` names no concept set. Write the name of one that lies in the same folder, without"
            f" .yaml; legal: {', '.join(legal) or 'none here'}."
        )
    return ConceptSet.load(folder / f"{base}.yaml", above).concepts


class _UniqueKeyLoader(yaml.SafeLoader):
    """A SafeLoader that refuses duplicate keys instead of keeping the last one."""


def _unique_mapping(loader: _UniqueKeyLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [loader.construct_object(key) for key, _ in node.value]
    for key in keys:
        if isinstance(key, (list, dict)):
            raise HRVError("A concept's name must be text, not a list or a mapping. Write `Color: [red, green, blue]`.")
        if keys.count(key) > 1:
            raise HRVError(
                f'The concept name "{key}" appears twice. Each concept needs a name of its own: rename or merge them.'
            )
    return {key: loader.construct_object(value, deep=True) for key, (_, value) in zip(keys, node.value, strict=True)}


_UniqueKeyLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _unique_mapping)


def _singular(name: str) -> str:
    """A name without the s of a plural: plants, plant; berries, berry."""
    if name.endswith("ies"):
        return name[:-3] + "y"
    return name[:-1] if name.endswith("s") and not name.endswith("ss") else name
