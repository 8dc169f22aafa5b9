"""Token maps: which pixels attend to a word, by head, by layer, or weighted by a Head Relevance Vector.

Averaged over the model calls of a run and upsampled, as DAAM does (arXiv 2210.04885); the weights r_h / H are those of
section 5.3 (Attend-and-Excite with HRVs), the plain mean is r_h = 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..attention.heads import HeadLayout
from ..errors import HRVError, nearest

START, END = "<start>", "<end>"


@dataclass(frozen=True)
class TokenMaps:
    """The share of attention each pixel gives to each word, mean over model calls, before any rescaling of heads.

    words: names; layers: float32 [images words heads height width] of each layer in HRV order, values 0 to 1 (a word
    of several tokens has their sum); prompt: what the words were found in. frames: how many of the images in a row are
    those of one video.
    """

    prompt: str
    words: tuple[str, ...]
    layout: HeadLayout
    layers: tuple[Tensor, ...]
    frames: int = 1

    @property
    def images(self) -> int:
        """How many images the maps belong to."""
        return int(self.layers[0].shape[0])

    def shown_in(self, pixels: int) -> list[int]:
        """Which of so many decoded images belongs to each map: a frame of maps stands for several of a video.

        Raises HRVError where these images cannot be those of the maps.
        """
        videos = self.images // self.frames
        own = pixels // videos
        if pixels % videos or own < self.frames or (self.frames == 1 and own != 1):
            maps = f"{self.images}" if self.frames == 1 else f"{videos} videos of {self.frames} frames"
            raise HRVError(
                f"There are {pixels} images but maps of {maps}. Decode the LATENT of the node that gave the maps and"
                " connect it here."
            )
        steps = [round(frame * (own - 1) / max(self.frames - 1, 1)) for frame in range(self.frames)]
        return [video * own + step for video in range(videos) for step in steps]

    def word(self, name: str) -> int:
        """The number of a recorded word, ignoring case; raises HRVError with the recorded ones."""
        folded = [word.casefold() for word in self.words]
        if name.strip().casefold() not in folded:
            raise HRVError(
                f'No map of "{name}" was recorded. Recorded: {", ".join(self.words)}; nearest:'
                f" {nearest(name, self.words)}. Record it too, or choose one of these."
            )
        return folded.index(name.strip().casefold())

    def weighted(self, weights: np.ndarray) -> Tensor:
        """Sum over heads of weights[h] map_h, upsampled to the largest layer; float32 [images words height width].

        weights: float [heads]; 1 / H everywhere gives the mean over heads.
        """
        height, width = max((layer.shape[-2:] for layer in self.layers), key=lambda size: size[0] * size[1])
        total = torch.zeros(*self.layers[0].shape[:2], height, width)
        of_heads = torch.from_numpy(np.asarray(weights, np.float32))
        for site, layer in zip(self.layout.sites, self.layers, strict=True):
            part = torch.einsum("iwhyx,h->iwyx", layer, of_heads[self.layout.head_range(site.key)])
            total += resized(part, (height, width))
        return total


@dataclass(frozen=True)
class View:
    """One map of one word of one image to be looked at: float32 [height width] with its caption and its numbers."""

    image: int
    word: str
    what: str
    map: Tensor

    @property
    def caption(self) -> str:
        """The word, what was averaged, and the range of shares from the darkest to the brightest place."""
        return f"{self.word}, {self.what}\n{float(self.map.min()):.1%} to {float(self.map.max()):.1%}"

    def row(self) -> dict[str, Any]:
        """The numbers of the table; the peak's place in parts of width and height."""
        height, width = self.map.shape
        y, x = divmod(int(self.map.argmax()), width)
        return {
            "image": self.image,
            "word": self.word,
            "heads": self.what,
            "least_share": float(self.map.min()),
            "mean_share": float(self.map.mean()),
            "peak_share": float(self.map.max()),
            "peak_x": (x + 0.5) / width,
            "peak_y": (y + 0.5) / height,
        }


def views(maps: TokenMaps, words: Sequence[str], weights: dict[str, np.ndarray]) -> list[View]:
    """Maps of `words` under each named weighting float [heads], image by image and word by word."""
    numbers = [maps.word(word) for word in words]
    drawn = {what: maps.weighted(of_heads) for what, of_heads in weights.items()}
    return [
        View(image, maps.words[number], what, drawn[what][image, number])
        for image in range(maps.images)
        for number in numbers
        for what in weights
    ]


def mean_weights(layout: HeadLayout, heads: Sequence[int] | slice) -> np.ndarray:
    """Weights [heads] that take the plain mean over some heads."""
    weights: np.ndarray = np.zeros(layout.total, np.float32)
    weights[heads if isinstance(heads, slice) else list(heads)] = 1
    return weights / weights.sum()


def resized(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear, [... height width] to `size`; negative and overshooting values cannot arise."""
    if tuple(maps.shape[-2:]) == tuple(size):
        return maps
    flat = functional.interpolate(maps.flatten(0, -3)[:, None], size=size, mode="bilinear", align_corners=False)
    return flat[:, 0].unflatten(0, maps.shape[:-2])


def peaked(maps: Tensor) -> Tensor:
    """Each map [... height width] moved and scaled to 0..1, for the eye and for masks.

    A map that varies by less than a twentieth of its peak stays dark: there is nothing to see in it.
    """
    low, high = maps.amin(dim=(-2, -1), keepdim=True), maps.amax(dim=(-2, -1), keepdim=True)
    span = torch.maximum(high - low, high / 20)
    return (maps - low) / torch.where(span > 0, span, torch.ones_like(span))
