"""Weakening experiments as readable YAML: prompts, the scored word of each, and whose heads are weakened (Table 5)."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import HRVError, nearest
from ..storage import plain_yaml
from ..storage.plain_json import excerpt
from ..text.lists import listed
from ..text.whole_numbers import MOST_SEED, whole_number

MOST = 100_000  # prompts of one experiment


@dataclass(frozen=True)
class WeakeningExperiment:
    """One row of Table 5: weaken the heads of `concept` on every prompt and seed, score the image against the word.

    prompts: (text, scored word); factor: what weakened maps are multiplied by.
    """

    name: str
    concept: str
    prompts: tuple[tuple[str, str], ...]
    seeds: tuple[int, ...]
    factor: float

    def first(self, count: int) -> "WeakeningExperiment":
        """`count` of the prompts, as many of each scored word as of any other; 0, or more than there are, keeps all."""
        if not 0 < count < len(self.prompts):
            return self
        chosen: list[tuple[str, str]] = []
        for several in _rounds(self.prompts):
            left = min(count - len(chosen), len(several))
            chosen += [several[number * len(several) // left] for number in range(left)]
        return replace(self, prompts=tuple(prompt for prompt in self.prompts if prompt in set(chosen)))


def _rounds(prompts: tuple[tuple[str, str], ...]) -> list[list[tuple[str, str]]]:
    """Rounds of one prompt per scored word, each from another place of the word's list so that both lists vary."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for prompt in prompts:
        groups.setdefault(prompt[1], []).append(prompt)
    return [
        [group[(start + number) % len(group)] for number, group in enumerate(groups.values()) if start < len(group)]
        for start in range(max(map(len, groups.values())))
    ]


def load_experiments(path: Path) -> dict[str, WeakeningExperiment]:
    """The weakening experiments of a benchmark file by name, none for other files; raises HRVError naming the file."""
    try:
        data = plain_yaml.read(path)
    except (OSError, ValueError) as error:
        raise HRVError(f"The benchmark file {path} cannot be read as YAML in UTF-8: {error}.") from error
    if not isinstance(data, dict) or "experiments" not in data:
        return {}
    try:
        words = data["words"]
        seeds, factor = tuple(int(seed) for seed in data["seeds"]), float(data["factor"])
        return {
            str(name): WeakeningExperiment(str(name), str(row["concept"]), _prompts(row, words), seeds, factor)
            for name, row in data["experiments"].items()
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise HRVError(
            f"The weakening experiments in {path.name} cannot be read: {type(error).__name__} {error}. The file needs"
            " `seeds`, `factor`, `words` (lists by name) and `experiments`, each with `concept`, `template`, `a`,"
            " perhaps `b`, and `scored: a` or `b`."
        ) from error


def _prompts(experiment: dict[str, Any], words: dict[str, list[str]]) -> tuple[tuple[str, str], ...]:
    """Every word of list a with every word of list b, and the one of the two that is scored, without its article."""
    template, scored = experiment["template"], experiment["scored"]
    if scored not in ("a", "b"):
        raise ValueError(f"scored is {excerpt(scored)}, not a or b")
    first = words[experiment["a"]]
    second = words[experiment["b"]] if experiment.get("b") else [""]
    if not all(
        isinstance(texts, list) and texts and all(isinstance(text, str) for text in texts) for texts in (first, second)
    ):
        raise TypeError("words must be lists of texts")
    if len(first) * len(second) > MOST:
        raise ValueError(f"{len(first)} times {len(second)} prompts are more than {MOST}")
    return tuple(
        (template.replace("{a}", a).replace("{b}", b), _bare({"a": a, "b": b}[scored])) for a in first for b in second
    )


def _bare(word: str) -> str:
    article, _, noun = word.partition(" ")
    return noun if article in ("a", "an") else word


def experiment_of(experiments: dict[str, WeakeningExperiment], name: str) -> WeakeningExperiment:
    """An experiment by name; raises HRVError with the nearest names."""
    if name not in experiments:
        raise HRVError(
            f'There is no weakening experiment "{name}". Nearest: {nearest(name, experiments)}. They are in'
            " hrv_presets/benchmarks."
        )
    return experiments[name]


def parse_seeds(text: str, default: tuple[int, ...]) -> tuple[int, ...]:
    """Seeds from "10, 20, 30"; nothing gives `default`; raises HRVError for anything else."""
    seeds = []
    for part in listed(text):
        seed = whole_number(part)
        if seed is None:
            raise HRVError(
                f'"{part[:60]}" is no seed. Write whole numbers from 0 to {MOST_SEED} separated by commas, e.g.'
                ' "10, 20, 30".'
            )
        seeds.append(seed)
    return tuple(seeds) or default
