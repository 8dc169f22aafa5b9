"""Convergence: how many images, timesteps and draws an HRV needs before its rows stop moving."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .plots import PALETTE, QUIET, new_plot, pixels

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
    """One row a setting {vary, value, images, steps, draws, unet_calls, cosine, cosine_full, least}.

    `cosine` is measured against all votes of the second half of the images, which no setting draws from; `cosine_full`
    against all images, as if one had built everything: optimistic, because the setting's own votes are part of it.
    Timesteps are left out of the first half, draws of its first 16 images.
    unet_calls counts images x steps that were sampled; keeping fewer steps saves votes, not calls.
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
    """The setting of fewest UNet calls whose cosine reaches `wanted`, with all timesteps; None if none does."""
    reached = [row for row in rows if row["vary"] == "images" and row["cosine"] >= wanted]
    return min(reached, key=lambda row: row["unet_calls"], default=None)


def convergence_figure(rows: Sequence[dict[str, Any]], wanted: float = 0.99) -> np.ndarray:
    """Three panels, cosine against images, timesteps kept and draws, with the wanted agreement; uint8 [H W 3]."""
    figure, axes = new_plot(3, width=12.0, height=4.2)
    many = {row["vary"]: row["images"] for row in rows}
    panels = [("images", "images")]
    panels += [(vary, f"{vary}, {many[vary]} images") for vary in ("timesteps", "draws")]
    least = min(row["cosine"] for row in rows)
    for axis, (vary, label) in zip(axes, panels, strict=True):
        lines = [(vary, PALETTE[0], "all draws"), ("images, one draw", PALETTE[1], "one draw")]
        for name, colour, title in lines if vary == "images" else lines[:1]:
            points = [(row["value"], row["cosine"]) for row in rows if row["vary"] == name]
            axis.plot(*zip(*points, strict=True), "o-", color=colour, label=title)
        if vary == "images":
            axis.legend(frameon=False, loc="lower right", fontsize=11)
        if vary != "draws":
            axis.set_xscale("log", base=2)
            axis.xaxis.set_major_formatter("{x:g}")
        else:
            axis.set_xticks([row["value"] for row in rows if row["vary"] == "draws"])
        axis.axhline(wanted, color=QUIET, linestyle=":")
        axis.set_ylim(least - 0.01, 1.002)
        axis.set_xlabel(label, fontsize=12)
    axes[0].set_ylabel("cosine to images never used", fontsize=12)
    return pixels(figure)
