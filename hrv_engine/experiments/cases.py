"""The cases of each kind of experiment, from the benchmark files."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..benchmarks.editing import load_editing, spread
from ..benchmarks.prompts import PromptSet
from ..benchmarks.several_objects import load_multi
from ..benchmarks.weakening import load_experiments
from ..errors import HRVError, first_line
from ..storage import plain_yaml
from ..storage.plain_json import excerpt
from .plan import PRESETS, Case, Experiment


def cases(experiment: Experiment, more_prompts: Path | None = None) -> list[Case]:
    """Every prompt and seed of an experiment; raises HRVError for a benchmark that is not there.

    more_prompts: for building vectors, a text file whose lines follow the preset's prompts (section 3.1).
    """
    if experiment.measure not in EXPANDED:
        raise HRVError(
            f'{experiment.name} is measured as "{experiment.measure}", which is unknown. Legal: {", ".join(EXPANDED)}.'
        )
    if more_prompts is not None and experiment.measure != "vectors":
        raise HRVError(f"{experiment.name} builds no vectors, so it takes no prompts to build on ({more_prompts}).")
    if experiment.measure == "vectors":
        return _building(experiment, more_prompts)
    return EXPANDED[experiment.measure](experiment, _preset(experiment, "benchmarks", experiment.benchmark))


def _preset(experiment: Experiment, kind: str, name: Any) -> Path:
    """The file of a preset that an experiment names; raises HRVError with the names there are."""
    listed = sorted(path.stem for path in (PRESETS / kind).glob("*.yaml"))
    if name not in listed:
        raise HRVError(f"{experiment.name} names {excerpt(name)} of {kind}. There are: {', '.join(listed)}.")
    return PRESETS / kind / f"{name}.yaml"


def _seeds(experiment: Experiment, path: Path) -> list[int]:
    if experiment.seeds:
        return list(experiment.seeds)
    return [int(seed) for seed in _entry(path, "seeds", (int,))]


def _entry(path: Path, key: str, kinds: tuple[type, ...]) -> list[Any]:
    """A list of a benchmark file, its entries of these kinds; raises HRVError for anything else."""
    try:
        found = plain_yaml.read(path)[key]
        if isinstance(found, list) and found and all(type(entry) in kinds for entry in found):
            return found
        said = f"`{key}` is {excerpt(found)}"
    except (OSError, LookupError, TypeError, ValueError) as error:
        said = first_line(error)
    raise HRVError(f"The benchmark {path.name} cannot be read: {said}. It needs `{key}`, a list.")


def _evenly(items: Sequence[Any], count: int) -> list[Any]:
    """`count` of the items, evenly over the list; all of them for 0 or more than there are."""
    count = count if 0 < count < len(items) else len(items)
    return [items[number * len(items) // count] for number in range(count)]


def _misreading(experiment: Experiment, path: Path) -> list[Case]:
    prompts = _entry(path, "prompts", (dict,))
    if not all(isinstance(one.get(key), str) for one in prompts for key in ("text", "word")):
        raise HRVError(f"The benchmark {path.name} cannot be read: each of `prompts` needs `text` and `word`.")
    return [
        Case(one["text"], one["word"], seed, {**one, "seed": seed}, one)
        for one in _evenly(prompts, experiment.keep)
        for seed in _seeds(experiment, path)
    ]


def _weakening(experiment: Experiment, path: Path) -> list[Case]:
    seeds = _seeds(experiment, path)
    return [
        Case(name, text, seed, {"text": text, "word": word, "concept": one.concept, "seed": seed, "factor": one.factor})
        for name, one in load_experiments(path).items()
        for text, word in one.first(experiment.keep).prompts
        for seed in seeds
    ]


def _editing(experiment: Experiment, path: Path) -> list[Case]:
    seeds = _seeds(experiment, path)
    return [
        Case(
            concept, f"{pair.source} to {pair.target}", seed,
            {"source": pair.source, "target": pair.target, "concept": concept, "word": pair.edited_word,
             "seed": seed, "other_seed": seed + 1}, pair,
        )
        for concept, pairs in load_editing(path).items()
        for pair in (spread(pairs, experiment.keep) if experiment.keep else pairs)
        for seed in seeds
    ]  # fmt: skip


def _several(experiment: Experiment, path: Path) -> list[Case]:
    seeds = _seeds(experiment, path)
    return [
        Case(
            name, one.text, seed,
            {"text": one.text, "words": ", ".join(one.nouns), "concepts": ", ".join(one.concepts), "seed": seed}, one,
        )
        for name, prompts in load_multi(path).items()
        for one in _evenly(prompts, experiment.keep)
        for seed in seeds
    ]  # fmt: skip


def _building(experiment: Experiment, more: Path | None) -> list[Case]:
    """One case: the preset's prompts and then the user's, as lines."""
    prompts = list(PromptSet.load(_preset(experiment, "prompts", experiment.options.get("prompts"))).prompts)
    if more is not None:
        try:
            prompts += PromptSet.of_lines(more.read_text(encoding="utf-8"), more.name).prompts
        except (OSError, UnicodeDecodeError) as error:
            raise HRVError(
                f"The prompts in {more} cannot be read: {error}. Give a text file, one prompt a line."
            ) from error
    seeds = experiment.seeds or (0,)
    asked = {"prompts": "\n".join(" ".join(prompt.split()) for prompt in prompts)}
    return [Case("", f"{len(prompts)} prompts", seed, {**asked, "seed": seed}) for seed in seeds]


EXPANDED: dict[str, Callable[[Experiment, Path], list[Case]]] = {
    "misreading": _misreading,
    "weakening": _weakening,
    "editing": _editing,
    "several": _several,
    "vectors": lambda experiment, _path: _building(experiment, None),
}
