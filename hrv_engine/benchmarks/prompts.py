"""PromptSet: the prompts whose images vote, as readable YAML."""

import hashlib
import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import HRVError
from ..storage import plain_yaml
from ..storage.plain_json import excerpt
from ..text.spelling import check_characters, escaped

LINES = ".txt"  # of a file with one prompt a line
PLAIN, WEIGHTS = "plain", "weights"
READINGS = (PLAIN, WEIGHTS)


@dataclass(frozen=True)
class PromptSet:
    """An ordered list of prompts with a name.

    reading: whether parentheses are characters like others (plain), or ComfyUI's weight syntax (weights).
    """

    name: str
    prompts: tuple[str, ...]
    reading: str = PLAIN

    def __post_init__(self) -> None:
        if not self.prompts:
            raise HRVError(f'The prompt set "{self.name}" is empty. Give at least one prompt.')
        if self.reading not in READINGS:
            raise HRVError(f'The reading "{self.reading}" of prompts is unknown. Legal: {", ".join(READINGS)}.')
        for prompt in self.prompts:
            check_characters(prompt, "The prompt")

    @property
    def texts(self) -> tuple[str, ...]:
        """The prompts as ComfyUI must be given them: to be read plainly, their parentheses are escaped."""
        return tuple(map(escaped, self.prompts)) if self.reading == PLAIN else self.prompts

    @property
    def told_reading(self) -> str | None:
        """The reading, None where both readings are the same: no prompt has parentheses."""
        return self.reading if any(escaped(prompt) != prompt for prompt in self.prompts) else None

    @property
    def digest(self) -> str:
        """A short hash of the prompts in order, and of a plain reading where it makes a difference.

        Sets that were read as weights, which was the only reading at first, keep the hash they had.
        """
        told = ["read plainly", *self.prompts] if self.told_reading == PLAIN else self.prompts
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]

    def first(self, count: int) -> "PromptSet":
        """The first `count` prompts; 0 keeps all."""
        return self if count <= 0 else replace(self, prompts=self.prompts[:count])

    def read_as(self, reading: str) -> "PromptSet":
        """The same prompts in another reading; raises HRVError for an unknown one."""
        return replace(self, reading=reading)

    @classmethod
    def of_lines(cls, text: str, name: str = "custom") -> "PromptSet":
        """One prompt a line; blank lines do not count."""
        return cls(name, tuple(line.strip() for line in re.split(r"\r\n?|\n", text) if line.strip()))

    @classmethod
    def load(cls, path: Path) -> "PromptSet":
        """Read YAML with `prompts: [...]`, or `template: "a photo of a {}."` with `words: [...]`; raises HRVError.

        A file that ends in .txt holds one prompt a line.
        """
        try:
            text = path.read_text(encoding="utf-8-sig")
            if is_list(path.name):
                return cls.of_lines(text, path.stem)
            data = plain_yaml.parse(text)
        except (OSError, ValueError) as error:
            raise HRVError(
                f"The prompt file {path} cannot be read: {error}. Save it in UTF-8, as YAML, or as {LINES} with one"
                " prompt a line."
            ) from error
        if not isinstance(data, dict) or not ({"prompts", "template"} & data.keys()):
            raise HRVError(f"The prompt file {path} needs `prompts: [...]`, or `template:` with `words: [...]`.")
        prompts = _texts(data, "prompts", path)
        if "template" in data:
            template = str(data["template"])
            if "{}" not in template:
                raise HRVError(f'The template "{template}" in {path} has no {{}}, the place where each word goes.')
            prompts += [template.replace("{}", word) for word in _texts(data, "words", path)]
        return cls(str(data.get("name", path.stem)), tuple(prompts))


def is_list(name: str) -> bool:
    """Whether a file of this name holds one prompt a line: it ends in .txt, in whatever capitals."""
    return name.casefold().endswith(LINES)


def _texts(data: dict[str, Any], key: str, path: Path) -> list[str]:
    """The list of texts under `key`, empty if there is none; raises HRVError for anything else."""
    texts = data.get(key) or []
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        odd = texts if not isinstance(texts, list) else next(text for text in texts if not isinstance(text, str))
        raise HRVError(
            f"`{key}` in {path} must be a list of texts, but holds {excerpt(odd)}. Write one `- text` a line, with"
            ' quotes around yes, no and numbers: - "1".'
        )
    return list(texts)
