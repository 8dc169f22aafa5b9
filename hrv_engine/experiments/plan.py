"""Experiments as readable YAML, expanded into cases: what is asked of a workflow, once for each prompt and seed."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from ..errors import HRVError, first_line, nearest
from ..paths import PRESETS
from ..storage import plain_yaml
from ..storage.plain_json import excerpt

FOLDER = PRESETS / "experiments"
LONGEST, LONGEST_PART = 200, 80  # characters of a job's name, and of a part of it
MERGED = ("set", "ask", "replace")  # what an experiment that extends another adds to, key by key


@dataclass(frozen=True)
class Experiment:
    """One file of hrv_presets/experiments.

    measure: how images are read and tabulated (see measures.py); workflow: of the pack; benchmark: a file of
    hrv_presets/benchmarks, or none; set: {"node.input": value}; ask: {"node.input": name of a field of a case};
    pictures, texts: {name: what shows it in the graph}; variants: {name: more of `set`}; replace: {class: class that
    stands in}; keep: how many cases of each group are used (0: all); seeds: instead of the benchmark's; score: scorers
    by name; paper: statements to compare with, {"figure": ..., "value": ..., "note": ...}.
    """

    name: str
    about: str
    source: str
    measure: str
    workflow: str
    benchmark: str = ""
    set: Mapping[str, Any] = field(default_factory=dict)
    ask: Mapping[str, str] = field(default_factory=dict)
    pictures: Mapping[str, str] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    variants: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {"": {}})
    replace: Mapping[str, str] = field(default_factory=dict)
    groups: tuple[str, ...] = ()
    keep: int = 0
    seeds: tuple[int, ...] = ()
    score: Mapping[str, Any] = field(default_factory=dict)
    paper: tuple[Mapping[str, Any], ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def load(cls, name: str, folder: Path = FOLDER) -> "Experiment":
        """The experiment of that name, or of a file `PATH.yaml`; raises HRVError with the names there are.

        A file of your own may extend an experiment of the pack.
        """
        path = Path(name)
        if path.suffix == ".yaml" and _is_file(path):
            return cls._of({**_extended(path.stem, path.parent), "name": path.stem}, path.name)
        listed = names(folder)
        if name not in listed:
            raise HRVError(
                f'There is no experiment "{name}". Nearest: {nearest(name, listed)}. There are: {", ".join(listed)}.'
            )
        return cls._of({**_extended(name, folder), "name": name}, f"{name}.yaml")

    @classmethod
    def _of(cls, data: dict[str, Any], file: str) -> "Experiment":
        legal = {one.name for one in fields(cls)}
        unknown = sorted(set(data) - legal)
        if unknown:
            raise HRVError(
                f'{file} has an unknown entry "{unknown[0]}". Nearest: {nearest(unknown[0], legal)}. Legal:'
                f" {', '.join(sorted(legal | {'extends'}))}."
            )
        for key, value in data.items():
            legal_kind, described = KINDS.get(key, TEXT)
            if not legal_kind(value):
                raise HRVError(f"{file} is no experiment: {key} must hold {described}, not {excerpt(value)}.")
        data = {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}
        try:
            made = cls(**data)
        except TypeError as error:
            raise HRVError(
                f"{file} is no experiment: {error}. It needs about, source, measure and workflow."
            ) from error
        if made.pictures.keys() & made.texts.keys():
            raise HRVError(f"{file} is no experiment: pictures and texts have names in common.")
        return made


def _is_mapping(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(key, str) for key in value)


def _holds(value: Any, *kinds: type) -> bool:
    return isinstance(value, list) and all(type(entry) in kinds for entry in value)


def _are_statements(value: Any) -> bool:
    return _holds(value, dict) and all({"figure", "value"} <= entry.keys() for entry in value)


TEXT: tuple[Callable[[Any], bool], str] = (lambda value: isinstance(value, str), "a text")
NAMES = (lambda value: _is_mapping(value) and _holds(list(value.values()), str), "names and texts")
KINDS: dict[str, tuple[Callable[[Any], bool], str]] = {  # what an entry must hold; a text if it is not listed
    **dict.fromkeys(("set", "score", "options"), (_is_mapping, "names and values")),
    **dict.fromkeys(("ask", "pictures", "texts", "replace"), NAMES),
    "variants": (
        lambda value: _is_mapping(value) and bool(value) and all(map(_is_mapping, value.values())),
        "names, each with names and values",
    ),
    "groups": (lambda value: _holds(value, str), "a list of texts"),
    "seeds": (lambda value: _holds(value, int) and all(seed >= 0 for seed in value), "a list of numbers from 0"),
    "keep": (lambda value: type(value) is int and value >= 0, "a number from 0"),
    "paper": (_are_statements, "a list of statements with figure and value"),
}


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long, or with a NUL
        return False


def names(folder: Path = FOLDER) -> list[str]:
    """All experiments there are."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def _extended(name: str, folder: Path, above: tuple[str, ...] = ()) -> dict[str, Any]:
    """The entries of a file over those of the file it extends."""
    if name in above:
        raise HRVError(f"These experiments extend each other in a circle: {', '.join([*above, name])}.")
    path = folder / f"{name}.yaml"
    data = _read(path if path.is_file() else FOLDER / path.name)
    if "extends" not in data:
        return data
    base, listed = data.pop("extends"), sorted({*names(folder), *names()})
    if base not in listed:
        raise HRVError(f"{path.name} extends {excerpt(base)}, which is no experiment. There are: {', '.join(listed)}.")
    below = _extended(base, folder, (*above, name))
    for key in MERGED:
        if key in data and not (isinstance(data[key], dict) and isinstance(below.get(key, {}), dict)):
            raise HRVError(f"{path.name} is no experiment: {key} must hold names and values, not {excerpt(data[key])}.")
    merged = {key: {**below.get(key, {}), **data[key]} for key in MERGED if key in data}
    return {**below, **data, **merged}


def _read(path: Path) -> dict[str, Any]:
    try:
        data = plain_yaml.read(path)
    except (OSError, ValueError) as error:
        raise HRVError(f"The experiment {path.name} cannot be read as YAML in UTF-8: {first_line(error)}.") from error
    if not isinstance(data, dict) or not all(isinstance(key, str) for key in data):
        raise HRVError(f"The experiment {path.name} must hold entries such as about, measure and workflow.")
    return data


@dataclass(frozen=True)
class Case:
    """One prompt and seed of an experiment: `asked` are the fields that `ask` can name; `group` a row of the tables."""

    group: str
    label: str
    seed: int
    asked: Mapping[str, Any]
    about: Any = None

    @property
    def prompt(self) -> str:
        """What was drawn, for people."""
        return str(self.asked.get("text", self.label))


@dataclass(frozen=True)
class Job:
    """One case under one variant: one prompt for a server."""

    case: Case
    variant: str

    @property
    def name(self) -> str:
        """A folder name: variant, group, prompt and seed."""
        parts = [self.variant, self.case.group, self.case.label, f"seed {self.case.seed}"]
        name = "__".join(_plain(part) for part in parts if part)
        return name if len(name) <= LONGEST else f"{name[: LONGEST - 9]}-{_hash(name)}"


def _plain(text: str) -> str:
    """The text as a part of a file name, with a hash where letters had to be left out."""
    kept = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in text.casefold())
    plain = "-".join(filter(None, kept.split("-")))
    if len(plain) <= LONGEST_PART and not any(letter.isalnum() and not letter.isascii() for letter in text):
        return plain
    return f"{plain[: LONGEST_PART - 9]}-{_hash(text)}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:8]


def jobs(experiment: Experiment, cases: list[Case]) -> Iterator[Job]:
    """Every case under every variant, as many cases of a group as the experiment keeps; raises HRVError for none."""
    unknown = [group for group in experiment.groups if group not in {case.group for case in cases}]
    if unknown:
        legal = list(dict.fromkeys(case.group for case in cases))
        raise HRVError(
            f'{experiment.name} asks for the group "{unknown[0]}" of {experiment.benchmark}, which has'
            f" {', '.join(legal)}."
        )
    chosen = [case for case in cases if not experiment.groups or case.group in experiment.groups]
    for variant in experiment.variants:
        for case in chosen:
            yield Job(case, variant)
