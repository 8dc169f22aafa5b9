"""How strongly each head attends: the size of its logits before the softmax (equation 6, Table 4)."""

from dataclasses import dataclass

import numpy as np

from .errors import HRVError


@dataclass(frozen=True)
class LogitScale:
    """Sums over (image, UNet call) of each head's mean |q k / sqrt(d)|; they add up over partial builds.

    count: how many pairs were measured; total, squares: float64 [heads].
    """

    count: int
    total: np.ndarray
    squares: np.ndarray

    @classmethod
    def none(cls, heads: int) -> "LogitScale":
        """Nothing measured yet."""
        return cls(0, np.zeros(heads), np.zeros(heads))

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
            "This HRV holds no logit scale, which a build collects on request only. Switch logit_scale on in HRV Build"
            " and build again under a new name; the votes are the same."
        )
    return scale
