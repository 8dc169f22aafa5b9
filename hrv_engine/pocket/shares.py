"""How many of several images show something, and how far such a count can be trusted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from scipy import stats

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Share:
    """`hits` of `images` images, at least one."""

    hits: int
    images: int

    @classmethod
    def of(cls, shown: Iterable[bool]) -> Share:
        """The share of True among booleans, one an image."""
        counted = [bool(one) for one in shown]
        return cls(sum(counted), len(counted))

    @property
    def value(self) -> float:
        """Between 0 and 1."""
        return self.hits / self.images

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the rate behind it."""
        low, high = stats.binomtest(self.hits, self.images).proportion_ci(CONFIDENCE, "wilson")
        return float(low), float(high)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{100 * self.value:5.1f} % ({100 * low:.1f} to {100 * high:.1f}, {self.images} images)"
