"""Benchmarks of prompts with several objects as readable YAML: what must be there, and which modifier binds to what."""

from dataclasses import dataclass
from pathlib import Path

from ..errors import HRVError
from ..storage import plain_yaml
from ..storage.plain_json import excerpt


@dataclass(frozen=True)
class MultiPrompt:
    """A prompt, its nouns in order, the modifier of each (None if it has none), and the concept of each noun."""

    text: str
    nouns: tuple[str, ...]
    modifiers: tuple[str | None, ...]
    concepts: tuple[str, ...]


def load_multi(path: Path) -> dict[str, list[MultiPrompt]]:
    """The prompts of every set of a benchmark of several objects; raises HRVError naming the file."""
    try:
        data = plain_yaml.read(path)
        default = data.get("template")
        return {
            str(name): [
                _prompt(prompts.get("template", default), pair, prompts["concept"]) for pair in prompts["pairs"]
            ]
            for name, prompts in data["sets"].items()
        }
    except (OSError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise HRVError(
            f"The benchmark {path.name} cannot be read: {type(error).__name__} {error}. The file needs `sets`, each"
            " with `concept` (one, or one per noun by name) and `pairs`, and a `template` with {a}, {b} (and {c})."
        ) from error


def _prompt(template: str, members: list[str], concept: str | dict[str, str]) -> MultiPrompt:
    """The template with its members, each a noun with or without modifiers before it; articles follow the sound."""
    text = template
    for letter, member in zip("abc", members, strict=False):
        if f"{{{letter}}}" not in text:
            raise ValueError(f"no {{{letter}}} in {excerpt(template)} for {excerpt(member)}")
        article = "an" if member[0] in "aeiou" else "a"
        text = text.replace(f"a {{{letter}}}", f"{article} {member}").replace(f"{{{letter}}}", member)
    if "{" in text:
        raise ValueError(f"{excerpt(template)} asks for more than {excerpt(members)}")
    split = [member.rpartition(" ") for member in members]
    nouns = tuple(noun for _, _, noun in split)
    concepts = tuple(concept if isinstance(concept, str) else concept[noun] for noun in nouns)
    return MultiPrompt(text, nouns, tuple(modifier or None for modifier, _, _ in split), concepts)
