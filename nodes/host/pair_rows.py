"""Which rows of one model call are a source and its targets, and what an edit does to them at one step."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ...hrv_engine.editing.paired_edit import Mixing, PairedEdit
from ...hrv_engine.errors import HRVError
from .identity import UNKNOWN, BatchPlan


@dataclass(frozen=True)
class PairStep:
    """What is active for one conditioning's rows at one step; mixings None where a target's words are its own."""

    edit: PairedEdit
    step: int
    total: int
    conditional: bool
    mixings: tuple[Mixing | None, ...]

    @classmethod
    def of(cls, edit: PairedEdit, step: int, total: int, conditional: bool, watched: bool = False) -> "PairStep | None":
        """The step's activity, None when there is none and no maps are watched: then the stock calls run."""
        mixings = tuple(None if cross is None or not conditional else cross.at(step, total) for cross in edit.cross)
        found = cls(edit, step, total, conditional, mixings)
        return found if watched or any(mixings) or found.injections or found.features else None

    def _active(self, parts: tuple) -> list[Any]:
        return [
            part
            for part in parts
            if (self.conditional or part.unconditional) and part.window.holds(self.step, self.total)
        ]

    @property
    def injections(self) -> list[Any]:
        """Self-attention injections active now for these rows."""
        return self._active(self.edit.injections)

    @property
    def features(self) -> list[Any]:
        """Feature injections active now for these rows."""
        return self._active(self.edit.features)


@dataclass(frozen=True)
class Pairing:
    """The rows of one conditioning as pairs: the source row of each target row, by target number (from 1)."""

    step: PairStep
    rows: tuple[int, ...]
    images: tuple[int, ...]
    sources: dict[int, list[int]]
    targets: dict[int, list[int]]

    @classmethod
    def of(cls, batch: BatchPlan, number: int, step: PairStep) -> "Pairing":
        """Raises HRVError where a target runs without its source, or nobody knows which is which."""
        rows, images, size = batch.rows(number), batch.images_of(number), step.edit.size
        places: dict[int, list[int]] = {}
        for row, image in zip(rows, images, strict=True):
            places.setdefault(image, []).append(row)
        sources: dict[int, list[int]] = {member: [] for member in range(1, size)}
        targets: dict[int, list[int]] = {member: [] for member in range(1, size)}
        for image, own in places.items():
            member = image % size
            source = places.get(image - member, [])
            if image == UNKNOWN or member and len(source) != len(own):
                raise _split(size)
            if member:
                sources[member] += source
                targets[member] += own
        return cls(step, rows, images, sources, targets)

    @property
    def all_sources(self) -> list[int]:
        """The source row of every target row, in the order of `all_targets`."""
        return [row for rows in self.sources.values() for row in rows]

    @property
    def all_targets(self) -> list[int]:
        """Every target row."""
        return [row for rows in self.targets.values() for row in rows]


def check_order(images: Iterable[int], size: int) -> None:
    """Raise HRVError unless the images of a call are in the order of the prompts stacked for them, source first."""
    if any(image == UNKNOWN or image % size != place % size for place, image in enumerate(images)):
        raise _split(size)


def _split(size: int) -> HRVError:
    return HRVError(
        "A target image is computed without its source: another node splits the batch of an edit (context windows over"
        " the batch, a tiler, a sampler that draws images apart). A pair must stay together; make the windows a"
        f" multiple of {size} images with no overlap and no causal_window_fix, or take that node off the MODEL."
    )
