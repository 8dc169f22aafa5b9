"""PromptSet: the prompts whose images vote, as readable YAML."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ..errors import HRVError


@dataclass(frozen=True)
class PromptSet:
    """An ordered list of prompts with a name."""

    name: str
    prompts: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.prompts:
            raise HRVError(f'The prompt set "{self.name}" is empty. Give at least one prompt.')

    @property
    def digest(self) -> str:
        """A short hash of the prompts in order."""
        return hashlib.sha256(json.dumps(self.prompts).encode()).hexdigest()[:16]

    def first(self, count: int) -> "PromptSet":
        """The first `count` prompts; 0 keeps all."""
        return self if count <= 0 else PromptSet(self.name, self.prompts[:count])

    @classmethod
    def of_lines(cls, text: str, name: str = "custom") -> "PromptSet":
        """One prompt per line; blank lines do not count."""
        return cls(name, tuple(line.strip() for line in text.splitlines() if line.strip()))

    @classmethod
    def load(cls, path: Path) -> "PromptSet":
        """Read YAML with `prompts: [...]`, or `template: "a photo of a {}."` with `words: [...]`; raises HRVError."""
        try:
            data = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise HRVError(f"The prompt file {path} cannot be read as YAML in UTF-8: {error}.") from error
        if not isinstance(data, dict) or not ({"prompts", "template"} & data.keys()):
            raise HRVError(f"The prompt file {path} needs `prompts: [...]`, or `template:` with `words: [...]`.")
        prompts = _texts(data, "prompts", path)
        if "template" in data:
            template = str(data["template"])
            if "{}" not in template:
                raise HRVError(f'The template "{template}" in {path} has no {{}}, the place where each word goes.')
            prompts += [template.replace("{}", word) for word in _texts(data, "words", path)]
        return cls(str(data.get("name", path.stem)), tuple(prompts))


def _texts(data: dict[str, Any], key: str, path: Path) -> list[str]:
    """The list of texts under `key`, empty if there is none; raises HRVError for anything else."""
    texts = data.get(key) or []
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        odd = texts if not isinstance(texts, list) else next(text for text in texts if not isinstance(text, str))
        raise HRVError(
            f"`{key}` in {path} must be a list of texts, but holds {str(odd)[:60]!r}. Write one `- text` a line, with"
            ' quotes around yes, no and numbers: - "1".'
        )
    return list(texts)
