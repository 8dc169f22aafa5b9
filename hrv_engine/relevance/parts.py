"""Which images a vote file counted: parts, each a run of neighbouring images of one prompt set with one seed."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from ..benchmarks.prompts import PromptSet
from ..errors import HRVError


@dataclass(frozen=True)
class Part:
    """A run of neighbouring images: of which prompt set (its name and digest), its seed, first image and length."""

    prompts: str
    digest: str
    seed: int
    start: int
    images: int

    @classmethod
    def of(cls, prompts: PromptSet, seed: int, start: int, images: int) -> "Part":
        """The part of `images` images from number `start` of the whole prompt set."""
        return cls(prompts.name, prompts.digest, seed, start, images)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Part":
        """The inverse of `to_json`; KeyError, TypeError or ValueError for anything else."""
        numbers = (int(data[key]) for key in ("seed", "start", "images"))
        return cls(str(data["prompts"]), str(data["digest"]), *numbers)

    def to_json(self) -> dict[str, Any]:
        """As vote files keep it."""
        return asdict(self)

    @property
    def end(self) -> int:
        """The number after the last image."""
        return self.start + self.images

    def same_set(self, other: "Part") -> bool:
        """Whether both are of one prompt set and seed."""
        return (self.digest, self.seed) == (other.digest, other.seed)

    def overlaps(self, other: "Part") -> bool:
        """Whether both counted an image."""
        return self.same_set(other) and self.start < other.end and other.start < self.end

    def __str__(self) -> str:
        return f'prompts "{self.prompts}" {self.start} to {self.end - 1}, seed {self.seed}'


def joined(parts: Iterable[Part]) -> tuple[Part, ...]:
    """Parts by (prompts, seed, start), neighbours that touch made one, so the order of adding does not matter."""
    runs: list[Part] = []
    for part in sorted(parts, key=lambda part: (part.digest, part.seed, part.start)):
        if runs and runs[-1].same_set(part) and runs[-1].end == part.start:
            runs[-1] = replace(runs[-1], images=runs[-1].images + part.images)
        else:
            runs.append(part)
    return tuple(runs)


def counted(parts: Iterable[Part], prompts: PromptSet, seed: int) -> set[int]:
    """Numbers of the images of this prompt set and seed that were counted already."""
    whole = Part.of(prompts, seed, 0, len(prompts.prompts))
    return {number for part in parts if part.same_set(whole) for number in range(part.start, part.end)}


def chosen(prompts: PromptSet, start: int, count: int) -> range:
    """Image numbers of the part that begins at `start` and has `count` images (0, or too many: to the end)."""
    total = len(prompts.prompts)
    if not 0 <= start < total or count < 0:
        raise HRVError(
            f'There is no part of {count} images from image {start} in "{prompts.name}": its {total} images are'
            f" numbered 0 to {total - 1}. Set start within these, and count to 0 (to the end) or more."
        )
    return range(start, min(start + count, total) if count else total)
