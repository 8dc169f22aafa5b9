"""PromptSet: the prompts whose images vote, as readable YAML."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import yaml

from .errors import HRVError


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
        """One prompt a line; blank lines do not count."""
        return cls(name, tuple(line.strip() for line in text.splitlines() if line.strip()))

    @classmethod
    def load(cls, path: Path) -> "PromptSet":
        """Read YAML with `prompts: [...]`, or `template: "a photo of a {}."` with `words: [...]`; raises HRVError."""
        try:
            data = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, yaml.YAMLError) as error:
            raise HRVError(f"The prompt file {path} cannot be read: {error}.") from error
        if not isinstance(data, dict) or not ({"prompts", "template"} & data.keys()):
            raise HRVError(f"The prompt file {path} needs `prompts: [...]`, or `template:` with `words: [...]`.")
        prompts = [str(prompt) for prompt in data.get("prompts", [])]
        if "template" in data:
            prompts += [str(data["template"]).replace("{}", str(word)) for word in data.get("words", [])]
        return cls(str(data.get("name", path.stem)), tuple(prompts))
