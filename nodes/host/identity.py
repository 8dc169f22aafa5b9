"""Identity that travels with the data: every row of a model call says which conditioning and which image it is.

A small integer tensor in `model_conds` of every conditioning is repeated, sliced and reordered as the context is, by
samplers, tilers, context windows and guiders, and is taken out again before the model sees it. So no row's owner is
ever derived from its list, chunk or position.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import comfy.conds
import torch
from torch import Tensor

IMAGES, ROWS = "hrv_images", "hrv_rows"  # keys in model_conds: image numbers of a run; (plan, image) of one call
GROUP = "hrv_group"  # key of a conditioning: the name of its list in the guider
OWN = "hrv_own"  # key of a conditioning: whether its context is made of its own prompt, see `owned`
UNKNOWN = -1


@dataclass(frozen=True)
class BatchPlan:
    """Whose rows one model call holds, in their order: plan numbers and image numbers (UNKNOWN where nobody knows)."""

    plans: tuple[int, ...]
    images: tuple[int, ...]

    @classmethod
    def of(cls, identity: Tensor) -> "BatchPlan":
        """From the integer tensor [rows 2] that came with the data."""
        plans, images = zip(*identity.tolist(), strict=True)
        return cls(plans, images)

    @property
    def size(self) -> int:
        """How many rows the call has."""
        return len(self.plans)

    @cached_property
    def _rows(self) -> dict[int, tuple[int, ...]]:
        found: dict[int, tuple[int, ...]] = {}
        for row, plan in enumerate(self.plans):
            found[plan] = (*found.get(plan, ()), row)
        return found

    def rows(self, plan: int) -> tuple[int, ...]:
        """The rows of one conditioning."""
        return self._rows.get(plan, ())

    def images_of(self, plan: int) -> tuple[int, ...]:
        """The image number of each of its rows."""
        return tuple(self.images[row] for row in self.rows(plan))


class ImageNumbers(comfy.conds.CONDRegular):
    """The image numbers [batch 1] of a conditioning, and with a plan number the identity of its rows, made once."""

    def __init__(self, cond: Tensor) -> None:
        super().__init__(cond)
        self._rows: dict[int, comfy.conds.CONDRegular] = {}

    def rows(self, plan: int) -> comfy.conds.CONDRegular:
        """(plan, image) of every row, [batch 2]."""
        if plan not in self._rows:
            numbers = torch.cat([torch.full_like(self.cond, plan), self.cond], dim=1)
            self._rows[plan] = comfy.conds.CONDRegular(numbers)
        return self._rows[plan]


@contextmanager
def numbered_images(guider: Any, images: int) -> Iterator[None]:
    """Inside, every conditioning of a guider carries the numbers of the run's images, 0 to images - 1, and its list."""
    before = guider.conds
    numbers = ImageNumbers(torch.arange(images)[:, None])
    guider.conds = {
        name: [{**cond, GROUP: name, "model_conds": {**cond.get("model_conds", {}), IMAGES: numbers}} for cond in group]
        for name, group in owned(before).items()
    }
    try:
        yield
    finally:
        guider.conds = before


def image_numbers(cond: dict, batch: int, images: int) -> ImageNumbers:
    """The image numbers of a call of `batch` rows in a run of `images`: as the conditioning brought them.

    One that the guider did not number is counted anew where the call holds all images; else they are UNKNOWN.
    """
    brought = cond.get("model_conds", {}).get(IMAGES)
    if brought is not None and brought.cond.shape[0] == batch:
        return brought if isinstance(brought, ImageNumbers) else ImageNumbers(brought.cond)
    if brought is None and batch == images:
        return ImageNumbers(torch.arange(batch)[:, None])
    return ImageNumbers(torch.full((batch, 1), UNKNOWN))


def with_images(cond: dict, images: int) -> dict:
    """The conditioning with the numbers 0 to images - 1 for the rows of a call of so many."""
    numbers = ImageNumbers(torch.arange(images)[:, None])
    return {**cond, "model_conds": {**cond.get("model_conds", {}), IMAGES: numbers}}


def without_images(cond: dict) -> dict:
    """The conditioning without our image numbers, which no model knows."""
    if IMAGES not in cond.get("model_conds", {}):
        return cond
    return {**cond, "model_conds": {key: value for key, value in cond["model_conds"].items() if key != IMAGES}}


def with_rows(cond: dict, plan: int, batch: int, images: int) -> dict:
    """The conditioning whose `batch` rows say that they are those of `plan`, in a run of `images`."""
    rows = image_numbers(cond, batch, images).rows(plan)
    cond = without_images(cond)
    return {**cond, "model_conds": {**cond.get("model_conds", {}), ROWS: rows}}


def owned(conds: dict[str, list[dict]]) -> dict[str, list[dict]]:
    """The same lists, in which every conditioning says whether the context it is used with is made of its own prompt.

    An area is copied into the other lists with all keys of the conditioning but the context of a neighbour, which is
    before it in that list.
    """
    return {name: list(_owned(group or [])) for name, group in conds.items()}


def _owned(group: list[dict]) -> Iterator[dict]:
    owners: dict[int, Any] = {}
    for cond in group:
        used, own = cond.get("model_conds", {}).get("c_crossattn"), cond.get("cross_attn")
        owner = owners.setdefault(id(used), own)
        yield {**cond, OWN: used is not None and own is not None and owner is own}


def is_its_own(cond: dict) -> bool:
    """Whether a conditioning's context is the one its annotation speaks of, if only as the model prepares it."""
    used = cond.get("model_conds", {}).get("c_crossattn")
    own = cond.get("cross_attn")
    if used is None or own is None or cond.get(OWN):
        return True
    if used.cond is own:
        return True
    return used.cond.shape == own.shape and torch.equal(used.cond, own.to(used.cond))
