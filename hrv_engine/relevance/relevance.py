"""HeadVotes (additive integer counts) and HeadRelevance (one Head Relevance Vector a concept)."""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..attention.heads import HeadLayout
from ..errors import HRVError
from .adding import PartialSums, check_size
from .concepts import ConceptSet
from .logit_scale import LogitScale
from .parts import Part, joined

if TYPE_CHECKING:
    from .effect import HeadEffects

ORDERS = ("MoRHF", "LeRHF")
VOTES, EFFECT, VECTORS = "votes", "effect", "vectors"  # what a file's vectors were made from
EFFECT_CLAMP = 1.0  # measured on prompts kept for choosing it: docs/effect.md


@dataclass(frozen=True)
class HeadVotes(PartialSums):
    """Votes of Algorithm 1, which add up over images, steps and partial builds.

    counts: int64 [concepts, heads]; per_step: int64 [steps, concepts, heads] or None; logits: how strongly each head
    attended, collected on request.
    recipe: every build setting that must agree before votes may be added; parts: which prompts were counted.
    """

    counts: np.ndarray
    concepts: ConceptSet
    layout: HeadLayout
    recipe: dict[str, Any] = field(default_factory=dict)
    parts: tuple[Part, ...] = ()
    per_step: np.ndarray | None = None
    logits: LogitScale | None = None

    def __post_init__(self) -> None:
        shape = (len(self.concepts.concepts), self.layout.total)
        if self.counts.shape != shape or not np.issubdtype(self.counts.dtype, np.integer):
            raise HRVError(
                f"Votes must be integers of shape [concepts, heads] = {shape}, not {self.counts.dtype}"
                f" {self.counts.shape}."
            )
        if self.per_step is not None and self.per_step.shape[1:] != shape:
            raise HRVError(f"Votes per step must have the shape [steps, *{shape}], not {self.per_step.shape}.")

    @classmethod
    def none(
        cls, concepts: ConceptSet, layout: HeadLayout, recipe: dict[str, Any], steps: int | None = None
    ) -> "HeadVotes":
        """An empty ballot; `steps` asks for votes per sampling step; raises HRVError for fewer than two concepts."""
        if len(concepts.concepts) < 2:
            raise HRVError(
                f'"{concepts.name}" has one concept only, "{concepts.names[0]}", which would win every vote. Votes need'
                " two or more concepts: add others for it to compete with."
            )
        shape = (len(concepts.concepts), layout.total)
        check_size(
            (*shape, max(steps or 1, 1)),
            f"The votes of {shape[0]} concepts and {shape[1]} heads{f' in {steps} steps' if steps else ''}",
            "Use fewer concepts, or switch per_timestep off.",
        )
        per_step: np.ndarray | None = np.zeros((steps, *shape), np.int64) if steps else None
        return cls(np.zeros(shape, np.int64), concepts, layout, dict(recipe), (), per_step)

    def emptied(self) -> "HeadVotes":
        """The empty ballot of the same build."""
        return replace(
            self,
            counts=np.zeros_like(self.counts),
            parts=(),
            per_step=None if self.per_step is None else np.zeros_like(self.per_step),
            logits=None if self.logits is None else LogitScale.none(self.layout.total),
        )

    @property
    def nbytes(self) -> int:
        """The memory that the votes take."""
        return self.counts.nbytes + (0 if self.per_step is None else self.per_step.nbytes)

    def __add__(self, other: "HeadVotes") -> "HeadVotes":
        """The sum of two ballots, in either order; raises HRVError that names the setting in which they differ."""
        self.check_addable(other)
        return HeadVotes(
            self.counts + other.counts,
            min(self.concepts, other.concepts, key=lambda concepts: concepts.name),
            self.layout,
            self.recipe | other.recipe,
            joined(self.parts + other.parts),
            None if self.per_step is None or other.per_step is None else self.per_step + other.per_step,
            None if self.logits is None or other.logits is None else self.logits + other.logits,
        )

    def check_compatible(self, other: PartialSums) -> None:
        """Raise HRVError when the other ballot was built with other concepts, heads or settings."""
        super().check_compatible(other)
        assert isinstance(other, HeadVotes)
        steps, other_steps = (None if votes.per_step is None else len(votes.per_step) for votes in (self, other))
        if steps != other_steps:
            raise HRVError(
                f"The build settings differ: one has votes for {steps or 'no'} single steps, the other for"
                f" {other_steps or 'no'}. Build both with the same steps and the same per_timestep."
            )

    def relevance(self) -> "HeadRelevance":
        """Normalise every concept to L1 = H, so that the mean element is 1 (section 3.1)."""
        totals = self.counts.sum(axis=1, keepdims=True)
        values = self.counts * self.layout.total / np.maximum(totals, 1)
        return HeadRelevance(values.astype(np.float32), self.concepts, self.layout, votes=self)


@dataclass(frozen=True)
class HeadRelevance:
    """Head Relevance Vectors: values float32 [concepts, heads], every row with L1 = H unless it never got a vote.

    orders: int [concepts, heads] most-relevant-first when ties were settled elsewhere (imported files), else None.
    signed: for vectors by effect, float32 [concepts, heads]: `values` is its positive part, and what is negative are
    heads that work against the concept; it decides the order of heads. votes, effects: the sums they come from.
    """

    values: np.ndarray
    concepts: ConceptSet
    layout: HeadLayout
    votes: HeadVotes | None = None
    orders: np.ndarray | None = None
    source: dict[str, Any] = field(default_factory=dict)
    signed: np.ndarray | None = None
    effects: "HeadEffects | None" = None

    def __post_init__(self) -> None:
        shape = (len(self.concepts.concepts), self.layout.total)
        if self.values.shape != shape:
            raise HRVError(
                f"These vectors have the shape {self.values.shape}, but {len(self.concepts.concepts)} concepts "
                f'("{self.concepts.name}") and {self.layout.summary} need {shape}. Choose the concept set and the model'
                " they were built with."
            )
        if not np.isfinite(self.values).all():
            raise HRVError("These vectors contain NaN or infinity. The file is damaged: build or fetch it again.")
        if self.orders is not None:
            self._check_orders(self.orders)
        signed = self.signed
        if signed is not None and (signed.shape != shape or not np.array_equal(np.maximum(signed, 0), self.values)):
            raise HRVError("These vectors are not the positive part of their signed effects. The file is damaged.")

    @property
    def method(self) -> str:
        """What the vectors were made from: VOTES, EFFECT, or VECTORS that came without either."""
        return EFFECT if self.signed is not None else VECTORS if self.votes is None else VOTES

    @property
    def sums(self) -> PartialSums | None:
        """The votes or effects the vectors come from, which those of other parts can be added to; None without any."""
        return self.votes if self.votes is not None else self.effects

    @property
    def usual_clamp(self) -> float | None:
        """The largest element that steering uses unless told otherwise; None for no limit.

        Vectors by effect lie on few heads: without a limit the image breaks (docs/effect.md).
        """
        return EFFECT_CLAMP if self.method == EFFECT else None

    def _check_orders(self, orders: np.ndarray) -> None:
        fits = orders.shape == self.values.shape and orders.dtype.kind in "iu"
        if fits and (np.sort(orders, axis=1) == np.arange(self.layout.total)).all():
            ranked = np.take_along_axis(self.values, orders.astype(np.int64), axis=1)
            if (np.diff(ranked, axis=1) <= 1e-4).all():
                return
        raise HRVError(
            f"The head order ({orders.dtype} {orders.shape}) does not sort these vectors {self.values.shape} from most"
            " to least relevant. Use the order file that belongs to them: head indices, one row per concept."
        )

    def row(self, concept: str) -> np.ndarray:
        """The HRV of one concept, float32 [heads]; raises HRVError for an unknown concept or one without votes."""
        index = self.concepts.index(concept)
        if not self.values[index].any() and self.method == EFFECT:
            raise HRVError(
                f'No head works for the concept "{self.concepts.names[index]}" in this HRV: none of its words was'
                " measured, or every head works against them. Build with more samples, or with templates that show it."
            )
        if not self.values[index].any():
            raise HRVError(
                f'The concept "{self.concepts.names[index]}" never won a vote in this HRV, so no head can be called'
                " relevant to it. Build with more prompts, with prompts that show the concept, or with more draws."
            )
        return self.values[index]

    @property
    def voted(self) -> list[str]:
        """Names of the concepts that have a relevant head (that won a vote), in row order."""
        return [name for name, row in zip(self.concepts.names, self.values, strict=True) if row.any()]

    def order(self, concept: str, kind: str = "MoRHF") -> np.ndarray:
        """Head indices int64 [heads], most relevant first (MoRHF) or least relevant first (LeRHF, exactly the reverse).

        Ties go to the lower index in MoRHF unless the file brought an order of its own. By effect, the most relevant
        are those of the largest signed element, the least relevant those of the smallest size: a head that works
        against the concept is not irrelevant.
        """
        if kind not in ORDERS:
            raise HRVError(f'The order "{kind}" is unknown. Legal: {", ".join(ORDERS)}.')
        row = self.row(concept)
        index = self.concepts.index(concept)
        if self.signed is not None:
            row = self.signed[index]
            return np.argsort(-row if kind == "MoRHF" else np.abs(row), kind="stable")
        order = np.argsort(-row, kind="stable") if self.orders is None else self.orders[index].astype(np.int64)
        return order if kind == "MoRHF" else order[::-1].copy()

    def clamped(self, limit: float | None) -> "HeadRelevance":
        """Every element limited to `limit` from above (section G.3), votes left behind; None changes nothing."""
        if limit is None:
            return self
        if not limit > 0:
            raise HRVError(f"clamp = {limit} would leave nothing of the vectors. Use a number above 0 (9 for SDXL).")
        signed = None if self.signed is None else np.minimum(self.signed, np.float32(limit))
        values = np.minimum(self.values, np.float32(limit))
        return replace(self, values=values, votes=None, orders=None, signed=signed, effects=None)

    def shuffled(self, seed: int) -> "HeadRelevance":
        """The same rows with their heads permuted, one permutation for all rows: the control vector."""
        permutation = np.random.default_rng(seed).permutation(self.layout.total)
        return replace(
            self,
            values=self.values[:, permutation],
            votes=None,
            orders=None,
            source={**self.source, "shuffled": seed},
            signed=None if self.signed is None else self.signed[:, permutation],
            effects=None,
        )

    def for_layout(self, layout: HeadLayout, model_name: str) -> "HeadRelevance":
        """Returns self if the layouts match; raises HRVError that names both otherwise."""
        if not self.layout.same_heads(layout):
            raise HRVError(
                f"This HRV was built for a model with {self.layout.summary}, but {model_name} has {layout.summary} or"
                " another order of them. Heads cannot be matched: build an HRV for this model, or load the one that"
                " belongs to it."
            )
        return self
