"""How strongly each head attends: the size of its logits before the softmax (equation 6, Table 4)."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..attention.heads import HeadLayout
from ..errors import HRVError
from ..storage.plain_json import excerpt

GRID = 2.0**20  # sums of multiples of 1 / GRID stay exact up to 2**33: their order cannot change a bit


@dataclass(frozen=True)
class LogitScale:
    """Sums over (image, model call) of each head's mean |q k / sqrt(d)|; they add up over partial builds.

    count: how many pairs were measured; total, squares: float64 [heads].
    """

    count: int
    total: np.ndarray
    squares: np.ndarray

    @classmethod
    def none(cls, heads: int) -> "LogitScale":
        """Nothing measured yet."""
        return cls(0, np.zeros(heads), np.zeros(heads))

    @classmethod
    def of(cls, sizes: np.ndarray) -> "LogitScale":
        """The sums over measurements [pairs heads]; each is rounded to a millionth first, so parts add up exactly."""
        kept = np.round(sizes.astype(np.float64) * GRID) / GRID
        return cls(len(kept), kept.sum(axis=0), (np.round(kept**2 * GRID) / GRID).sum(axis=0))

    @classmethod
    def checked(cls, count: Any, total: np.ndarray, squares: np.ndarray) -> "LogitScale":
        """What a file says; ValueError for numbers that no build measures."""
        if type(count) is not int or count < 0:
            raise ValueError(f"logit_count must be a number from 0, not {excerpt(count)}")
        sums = np.stack([total, squares])
        if not np.isfinite(sums).all() or (sums < 0).any() or (count == 0 and sums.any()):
            raise ValueError("the sums of its logit scale are damaged")
        return cls(count, total, squares)

    def __add__(self, other: "LogitScale") -> "LogitScale":
        return LogitScale(self.count + other.count, self.total + other.total, self.squares + other.squares)

    @property
    def mean(self) -> np.ndarray:
        """Mean over images and timesteps, float64 [heads]."""
        return self.total / max(self.count, 1)

    @property
    def std(self) -> np.ndarray:
        """Standard deviation over images and timesteps, float64 [heads]."""
        variance = self.squares / max(self.count, 1) - self.mean**2
        return np.sqrt(np.maximum(variance, 0))


def measured(scale: LogitScale | None) -> LogitScale:
    """The scale itself; raises HRVError when a build did not collect it."""
    if scale is None or scale.count == 0:
        raise HRVError(
            "This HRV holds no logit scale, which a build by votes collects on request only. Build it by votes under a"
            " new name with logit_scale switched on; the votes are the same."
        )
    return scale


def logit_table(layout: HeadLayout, scale: LogitScale) -> list[dict[str, Any]]:
    """One row per head: head (HRV index), layer from 1, head in its layer from 0, block, mean, std (Table 4)."""
    rows = []
    for head, (mean, std) in enumerate(zip(scale.mean, scale.std, strict=True)):
        layer, number = layout.locate(head)
        block = layout.sites[layer - 1].label
        place = {"head": head, "layer": layer, "head_in_layer": number, "block": block}
        rows.append({**place, "mean": float(mean), "std": float(std)})
    return rows


def logit_text(layout: HeadLayout, scale: LogitScale) -> str:
    """The head with the largest and the one with the smallest mean, and their ratio (8.1 on SD1.4 in the paper)."""
    high, low = int(scale.mean.argmax()), int(scale.mean.argmin())
    ratio = scale.mean[high] / max(scale.mean[low], 1e-12)
    return (
        f"largest: {layout.label(high)} {scale.mean[high]:.3f} ± {scale.std[high]:.3f}\n"
        f"smallest: {layout.label(low)} {scale.mean[low]:.3f} ± {scale.std[low]:.3f}\n"
        f"ratio {ratio:.1f}, over {scale.count} pairs of image and step"
    )
