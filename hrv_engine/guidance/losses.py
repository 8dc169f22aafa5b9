"""Losses that latent guidance descends, as functions of token maps: Attend-and-Excite and SynGen.

Maps are float32 [sets images tokens height width], one set for each weighting of the heads; a loss is one number an
image, [images], and must be differentiable. A new method is one more function here.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..text.alignment import CHUNK, Columns
from .readings import blurred

SHARPNESS = 100.0
ORIGINAL_DEVIATION = 0.5 * 2**0.5  # the official 3x3 kernel is exp(-(d / 2 sigma)^2), sigma 0.5
GAUSSIAN_DEVIATION = 0.5  # the ordinary Gaussian of the authors of HRVs
TINY = 1e-20  # keeps the logarithm of an underflowing map finite


@dataclass(frozen=True)
class MaxActivation:
    """Attend-and-Excite (arXiv 2301.13826, section 3): every subject must be strongly attended to somewhere.

    subjects: the columns of each; with several sets of maps, subject i reads set i (section 5.3 of the HRV paper);
    deviation: of the 3x3 Gaussian over the map, None for no smoothing. The softmax is shared by all columns but the
    begin-of-text tokens, up to `stop` (-1 leaves out the last one as the original does on SD1.x), or by `rivals` only
    (the words of the prompt, as the original does on SD2.x); sharpness: the factor of the maps in that softmax.
    """

    subjects: tuple[Columns, ...]
    deviation: float | None = ORIGINAL_DEVIATION
    stop: int | None = -1
    rivals: Columns | None = None
    sharpness: float = SHARPNESS

    def __call__(self, maps: Tensor) -> Tensor:
        """max over subjects of max(0, 1 - peak), in [0, 1]; maps [sets images tokens height width]."""
        everything = [column for column in range(maps.shape[2]) if column % CHUNK][: self.stop]
        rivals = everything if self.rivals is None else list(self.rivals)
        shares = torch.softmax(self.sharpness * maps[:, :, rivals], dim=2)
        peaks = []
        for number, columns in enumerate(self.subjects):
            own = [place for place, column in enumerate(rivals) if column in columns]
            map_of_subject = shares[number if len(shares) > 1 else 0][:, own].sum(dim=1)  # [images height width]
            peaks.append(smoothed(map_of_subject, self.deviation).amax(dim=(-2, -1)))
        return (1 - torch.stack(peaks)).clamp(min=0).max(dim=0).values


@dataclass(frozen=True)
class Binding:
    """SynGen (arXiv 2306.08877, section 3): modifiers and their noun are attended to in the same region, others not.

    groups: the words of each as columns, the noun last; everything: the columns of all semantic tokens of the prompt.
    A noun alone is only kept apart from the other words. A word of several tokens counts by its furthest token.
    """

    groups: tuple[tuple[Columns, ...], ...]
    everything: Columns

    def __call__(self, maps: Tensor) -> Tensor:
        """Sum over groups and (noun, modifier) of D minus half the mean D to the other words; maps of one set."""
        far = distances(maps[0][:, list(self.everything)].flatten(2))  # [images tokens tokens]
        place = {column: number for number, column in enumerate(self.everything)}
        total = far.new_zeros(len(far))
        for group in self.groups:
            words = [[place[column] for column in word] for word in group]
            others = [number for number in place.values() if not any(number in word for word in words)]
            *modifiers, noun = words
            for modifier in modifiers:
                total = total + far[:, noun][:, :, modifier].amax(dim=(1, 2))
                total = total - (_apart(far, noun, others) + _apart(far, modifier, others)) / 2
            if not modifiers:
                total = total - _apart(far, noun, others)
        return total


def _apart(far: Tensor, word: list[int], others: list[int]) -> Tensor:
    """Mean distance [images] of a word to other tokens, 0 if there are none."""
    return far[:, word][:, :, others].amax(dim=1).mean(dim=1) if others else far.new_zeros(len(far))


def distances(maps: Tensor) -> Tensor:
    """Symmetric Kullback-Leibler distances between maps [images tokens pixels], each as a distribution over pixels.

    D(m, n) = KL(A_m || A_n) / 2 + KL(A_n || A_m) / 2; returns [images tokens tokens].
    """
    shares = maps / maps.sum(dim=-1, keepdim=True).clamp(min=TINY)
    logs = shares.clamp(min=TINY).log()
    gaps = (shares[:, :, None] - shares[:, None]) * (logs[:, :, None] - logs[:, None])
    return gaps.sum(dim=-1) / 2


def smoothed(maps: Tensor, deviation: float | None) -> Tensor:
    """Maps [images height width] under a 3x3 Gaussian with mirrored edges; None leaves them as they are."""
    return maps if deviation is None else blurred(maps[:, None], 3, deviation)[:, 0]
