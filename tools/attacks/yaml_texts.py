"""YAML of concepts, prompts and benchmarks: damaged texts and bombs, judged by PyYAML's own reading."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from hrv_engine.benchmarks.editing import load_editing
from hrv_engine.benchmarks.prompts import PromptSet
from hrv_engine.benchmarks.several_objects import load_multi
from hrv_engine.benchmarks.weakening import load_experiments
from hrv_engine.paths import PRESETS
from hrv_engine.relevance.concepts import ConceptSet

from .attempt import Attempt
from .mutations import damaged, damaged_text, odd_value

Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
SMALL = 20_000  # characters of a text that PyYAML is asked about
READERS: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "concepts": ("concepts/paper34.yaml", ConceptSet.load),
    "prompts": ("prompts/quick.yaml", PromptSet.load),
    "editing": ("benchmarks/editing.yaml", load_editing),
    "several": ("benchmarks/multi_concept.yaml", load_multi),
    "weakening": ("benchmarks/ordered_weakening.yaml", load_experiments),
}


def attempts(chance: random.Random, folder: Path) -> Iterator[Attempt]:
    """Presets with damage to their text or their values, and texts made to take long."""
    presets = {kind: _short((PRESETS / name).read_text(encoding="utf-8")) for kind, (name, _) in READERS.items()}
    values = {kind: yaml.safe_load(text) for kind, text in presets.items()}
    while True:
        kind = chance.choice(list(presets))
        way = chance.random()
        if way < 0.4:
            text = damaged_text(presets[kind], chance)
        elif way < 0.8:
            text = yaml.safe_dump(damaged(values[kind], chance, chance.choice([1, 1, 2, 4])), allow_unicode=True)
        elif way < 0.9:
            text = yaml.safe_dump(odd_value(chance))
        else:
            text = _bomb(chance)
        path = folder / f"{kind}.yaml"

        def act(text: str = text, path: Path = path, kind: str = kind) -> Any:
            path.write_bytes(text.encode("utf-8", "surrogatepass"))
            return READERS[kind][1](path)

        yield Attempt(f"{kind}: {text[:150]}", act, partial(_wrong, text=text))


def _short(text: str) -> str:
    """The document with a few entries of every list, without comments."""
    return yaml.safe_dump(_few(yaml.safe_load(text)), allow_unicode=True, sort_keys=False)


def _few(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _few(inner) for key, inner in list(value.items())[:12]}
    return [_few(inner) for inner in value[:8]] if isinstance(value, list) else value


def _bomb(chance: random.Random) -> str:
    width, depth = chance.choice([2, 10, 30]), chance.choice([5, 10, 30])
    aliases = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * width)}]\n" for n in range(1, depth))
    return chance.choice(
        [
            aliases, f"concepts:\n  {aliases.replace(chr(10), chr(10) + '  ')}", f"prompts: [{'a, ' * 3000}]",
            "[" * chance.choice([100, 10_000]), "{" * 1000, "- " * 5000, "a: " * 3000, "? " * 5000, "a: &a [*a]",
            "\n".join(f"Concept {n}: [w{n}]" for n in range(chance.choice([1000, 20_000]))),
            "a: " + "9" * 5000, "1:" * 5000 + "1", "a: !!bool maybe", "a: 2026-99-99", "a: !!binary x", "a: !!float x",
            "a: 'b" * 1000, "#" * 100_000, "a: |\n" + "  b\n" * 20_000, "!" * 5000, "&a " * 5000, "%" * 5000,
        ]
    )  # fmt: skip


def _wrong(value: Any, text: str) -> str:
    """What is wrong with concepts or prompts that were accepted."""
    if len(text) > SMALL or re.search(r"[*&]", text) or not isinstance(value, (ConceptSet, PromptSet)):
        return ""
    try:
        plain = yaml.load(text.lstrip("\ufeff"), Loader=Loader)  # noqa: S506 - a SafeLoader
    except Exception as error:  # whatever PyYAML raises, it cannot read the text
        return f"accepted, but PyYAML refuses it: {str(error)[:100]}"
    if isinstance(value, ConceptSet):
        concepts = plain.get("concepts", {key: words for key, words in plain.items() if key != "extends"})
        same = {concept.name: list(concept.words) for concept in value.concepts} == concepts
        return "" if same or "extends" in plain else "the concepts differ"
    words = [plain["template"].replace("{}", word) for word in plain.get("words") or []] if "template" in plain else []
    return "" if list(value.prompts) == [*(plain.get("prompts") or []), *words] else "the prompts differ"
