"""Paired edits: a target is drawn beside its source and takes over parts of the source's attention.

Every published form is attention over other values or with other queries, so no map is materialised:

    cross   out_t = M_s (W_s V_t) + M_t (W_t V_t)       Prompt-to-Prompt, with HRVs equation 8
    self    out_t = softmax(Q_a K_b^T) V_c              a, b, c: source or target
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..attention.heads import SiteKey
from .mapping import TokenMapping

QUERY_KEY, KEY_VALUE = ("query", "key"), ("key", "value")


@dataclass(frozen=True)
class StepWindow:
    """The steps int(start T) to int(end T) - 1 of a run of T steps."""

    start: float = 0.0
    end: float = 1.0

    def holds(self, step: int, total: int) -> bool:
        """Whether step 0 ... T - 1 lies in the window."""
        return step_number(self.start, total) <= step < step_number(self.end, total)


def step_number(fraction: float, total: int) -> int:
    """int(fraction T), safe from the rounding of decimal fractions."""
    return int(_step_numbers(fraction, total))


def _step_numbers(fractions: Any, total: int) -> Any:
    return np.floor(fractions * total + 1e-6)


@dataclass(frozen=True)
class Mixing:
    """W_s float32 [source tokens, target tokens] and W_t float32 [target tokens, heads] of one step."""

    source: np.ndarray
    target: np.ndarray


@dataclass(frozen=True)
class CrossEdit:
    """What a target's cross-attention takes from the source's maps (Prompt-to-Prompt; section 5.2).

    windows: float [target tokens, 2], the fractions of the run between which each column is the source's;
    equalizer: float [target tokens], what edited columns are multiplied by; own: columns that keep the target's own
    map, times factors float32 [heads] = r_h.
    """

    mapping: TokenMapping
    windows: np.ndarray
    equalizer: np.ndarray
    own: tuple[int, ...] = ()
    factors: np.ndarray | None = None
    heads: int = 1
    _made: dict[bytes, Mixing] = field(default_factory=dict, repr=False, compare=False)

    def at(self, step: int, total: int) -> Mixing | None:
        """The mixing at a step, None where nothing is edited; the same object at steps with the same columns."""
        first, last = _step_numbers(self.windows.T, total)
        inside = (first <= step) & (step < last)
        if not inside.any():
            return None
        name = inside.tobytes()
        if name not in self._made:
            self._made[name] = self._mixing(inside)
        return self._made[name]

    def _mixing(self, inside: np.ndarray) -> Mixing:
        """The mixing with the columns `inside` their windows, bool [target tokens]."""
        own: np.ndarray = np.zeros(len(inside), bool)
        own[list(self.own)] = True
        taken = np.where(inside & ~own, self.equalizer, 0.0)
        kept = np.where(inside, self.equalizer * np.where(self.mapping.aligned, 0.0, 1.0), 1.0)
        target = np.repeat(kept[:, None], self.heads, axis=1)
        if self.factors is not None:
            rescaled = inside & own
            target[rescaled] = self.equalizer[rescaled, None] * self.factors
        return Mixing((self.mapping.matrix * taken).astype(np.float32), target.astype(np.float32))


@dataclass(frozen=True)
class SelfInjection:
    """Self-attention of some layers computes with the source's query and key, or its key and value.

    take: QUERY_KEY keeps the source's layout (Prompt-to-Prompt, Plug-and-Play, Free-Prompt-Editing), KEY_VALUE its
    appearance (MasaCtrl); unconditional: the rows of the negative prompt too.
    """

    window: StepWindow
    sites: frozenset[SiteKey]
    take: tuple[str, str] = QUERY_KEY
    unconditional: bool = False


@dataclass(frozen=True)
class FeatureInjection:
    """The residual branch of one decoder block's ResBlock is the source's (Plug-and-Play)."""

    window: StepWindow
    block: tuple[str, int]
    unconditional: bool = True


@dataclass(frozen=True)
class PairedEdit:
    """What the targets take from the source: a cross edit each (None: nothing), injections common to all."""

    cross: tuple[CrossEdit | None, ...]
    injections: tuple[SelfInjection, ...] = ()
    features: tuple[FeatureInjection, ...] = ()

    @property
    def size(self) -> int:
        """Rows of one image: the source and its targets."""
        return 1 + len(self.cross)
