"""Which images a vote file counted: parts, each a run of neighbouring images of one prompt set with one seed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

from ..benchmarks.prompts import PLAIN, READINGS, WEIGHTS
from ..errors import HRVError
from ..storage.plain_json import excerpt


class Numbered(Protocol):
    """What images are numbered over: the prompts of a PromptSet, or samples of concept words (samples.py)."""

    @property
    def name(self) -> str:
        """How reports and errors call it."""
        ...

    @property
    def prompts(self) -> Sequence[str]:
        """The text of every image."""
        ...

    @property
    def digest(self) -> str:
        """A short hash of what the numbers stand for."""
        ...

    @property
    def reading(self) -> str:
        """How parentheses are read."""
        ...

    @property
    def told_reading(self) -> str | None:
        """The reading, None where it makes no difference."""
        ...

    def read_as(self, reading: str) -> "Numbered":
        """The same in another reading."""
        ...


@dataclass(frozen=True)
class Part:
    """A run of neighbouring images: of which prompt set (its name and digest), its seed, first image and length.

    reading: how the prompts' parentheses were read; None where there are none, or in files from before it was told.
    """

    prompts: str
    digest: str
    seed: int
    start: int
    images: int
    reading: str | None = None

    @classmethod
    def of(cls, prompts: Numbered, seed: int, start: int, images: int) -> "Part":
        """The part of `images` images from number `start` of the whole prompt set."""
        return cls(prompts.name, prompts.digest, seed, start, images, prompts.told_reading)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Part":
        """The inverse of `to_json`; KeyError, TypeError or ValueError for anything else."""
        part = cls(**data)
        texts, counts = (part.prompts, part.digest), (part.seed, part.start, part.images)
        if any(type(text) is not str for text in texts) or any(type(number) is not int for number in counts):
            raise TypeError("a part has texts `prompts` and `digest` and numbers `seed`, `start` and `images`")
        if part.seed < 0 or part.start < 0 or part.images < 1:
            raise ValueError(f"there is no part of {part.images} images from image {part.start} with seed {part.seed}")
        if part.reading not in (None, *READINGS):
            raise ValueError(f"prompts are not read {excerpt(part.reading)}")
        return part

    def to_json(self) -> dict[str, Any]:
        """As vote files keep it."""
        return {key: value for key, value in asdict(self).items() if value is not None}

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
        told = f", parentheses read as {_said(self.reading)}" if self.reading else ""
        return f'prompts "{self.prompts}" {self.start} to {self.end - 1}, seed {self.seed}{told}'


def joined(parts: Iterable[Part]) -> tuple[Part, ...]:
    """Parts by (prompts, seed, start), neighbours that touch made one, so the order of adding does not matter."""
    runs: list[Part] = []
    for part in sorted(parts, key=lambda part: (part.digest, part.seed, part.start)):
        if runs and runs[-1].same_set(part) and runs[-1].end == part.start:
            runs[-1] = replace(runs[-1], images=runs[-1].images + part.images)
        else:
            runs.append(part)
    return tuple(runs)


def counted(parts: Iterable[Part], prompts: Numbered, seed: int) -> set[int]:
    """Numbers of the images of this prompt set and seed that were counted already.

    Raises HRVError when these prompts were counted in the other reading, so that no image counts in two.
    """
    every = list(parts)
    whole = Part.of(prompts, seed, 0, len(prompts.prompts))
    for reading in READINGS if prompts.told_reading else ():
        other = Part.of(prompts.read_as(reading), seed, 0, len(prompts.prompts))
        if reading != prompts.reading and any(part.same_set(other) for part in every):
            raise HRVError(
                f'The file counted "{prompts.name}" with its parentheses read as {_said(reading)}, but now they are'
                f' to be read as {_said(prompts.reading)}. Set reading of the prompt set to "{reading}", or save under'
                " another name."
            )
    return {number for part in every if part.same_set(whole) for number in range(part.start, part.end)}


def chosen(prompts: Numbered, start: int, count: int) -> range:
    """Image numbers of the part that begins at `start` and has `count` images (0, or too many: to the end)."""
    total = len(prompts.prompts)
    if not 0 <= start < total or count < 0:
        raise HRVError(
            f'There is no part of {count} images from image {start} in "{prompts.name}": its {total} images are'
            f" numbered 0 to {total - 1}. Set start within these, and count to 0 (to the end) or more."
        )
    return range(start, min(start + count, total) if count else total)


def _said(reading: str) -> str:
    return {PLAIN: "characters", WEIGHTS: "weights"}[reading]
