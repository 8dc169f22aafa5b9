"""Convergence: how many images, timesteps and draws an HRV needs before its rows stop moving."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

FEW = 16  # images of the settings that differ in draws: with many images another draw changes nothing


@dataclass(frozen=True)
class DetailedVotes:
    """Votes before they are added up: integers [draws images steps concepts heads]."""

    counts: np.ndarray

    @property
    def images(self) -> int:
        """How many images voted."""
        return int(self.counts.shape[1])

    @property
    def steps(self) -> int:
        """How many sampling steps each image took."""
        return int(self.counts.shape[2])

    @property
    def draws(self) -> int:
        """How many word samples a query had."""
        return int(self.counts.shape[0])

    def summed(self, images: slice, steps: Sequence[int] | None = None, draws: int | None = None) -> np.ndarray:
        """Votes [concepts heads] of some images, steps (None: all) and the first draws (None: all)."""
        part = self.counts[:draws, images]
        part = part if steps is None else part[:, :, list(steps)]
        return part.sum(axis=(0, 1, 2), dtype=np.int64)


def agreement(votes: np.ndarray, reference: np.ndarray) -> tuple[float, np.ndarray]:
    """Cosine of each concept's row with the reference's: the mean weighted by the reference's votes, and all of them.

    votes, reference: [concepts heads]; a row without a vote has cosine 0.
    """
    lengths = np.linalg.norm(votes, axis=1) * np.linalg.norm(reference, axis=1)
    rows = (votes * reference).sum(axis=1) / np.where(lengths == 0, 1, lengths)
    shares = reference.sum(axis=1) / max(reference.sum(), 1)
    return float(rows @ shares), rows


def spread_steps(steps: int, kept: int) -> list[int]:
    """`kept` of the steps, evenly spread, the middle one first of all."""
    return [int((number + 0.5) * steps / kept) for number in range(kept)]


def convergence(
    votes: DetailedVotes, counts: Iterable[int] = (1, 2, 4, 8, 16, 32, 64, 128, 256)
) -> list[dict[str, Any]]:
    """One row per setting {vary, value, images, steps, draws, unet_calls, cosine, cosine_full, least}.

    `cosine` is measured against all votes of the second half of the images, which no setting draws from; `cosine_full`
    against all images, as if one had built everything: optimistic, because the setting's own votes are part of it.
    Timesteps are left out of the first half, draws of its first 16 images.
    unet_calls, the model's, counts images x steps that were sampled; keeping fewer steps saves votes, not calls.
    """
    half = votes.images // 2
    other, full = votes.summed(slice(half, None)), votes.summed(slice(None))
    settings = [("images", n, n, votes.steps, votes.draws) for n in counts if n < half]
    settings += [("images", half, half, votes.steps, votes.draws)]
    settings += [("images, one draw", n, n, votes.steps, 1) for n in (*[n for n in counts if n < half], half)]
    settings += [("timesteps", n, half, n, votes.draws) for n in counts if n < votes.steps]
    settings += [("draws", n, min(FEW, half), votes.steps, n) for n in range(1, votes.draws + 1)]
    rows = []
    for vary, value, images, steps, draws in settings:
        kept = votes.summed(slice(images), spread_steps(votes.steps, steps), draws)
        cosine, every = agreement(kept, other)
        rows.append(
            {
                "vary": vary,
                "value": value,
                "images": images,
                "steps": steps,
                "draws": draws,
                "unet_calls": images * votes.steps,
                "cosine": cosine,
                "cosine_full": agreement(kept, full)[0],
                "least": float(every.min()),
            }
        )
    return rows


def cheapest(rows: Sequence[dict[str, Any]], wanted: float) -> dict[str, Any] | None:
    """The setting of fewest model calls whose cosine reaches `wanted`, with all timesteps; None if none does."""
    reached = [row for row in rows if row["vary"] == "images" and row["cosine"] >= wanted]
    return min(reached, key=lambda row: row["unet_calls"], default=None)
