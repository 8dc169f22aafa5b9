"""Where in images a word's object is: CLIPSeg through transformers."""

from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from ..errors import HRVError
from ..text.lists import listed
from .hub import Download
from .pretrained import CLIPSEG, as_bytes, check_folder, loaded, precision

AT_ONCE = 8  # images in one pass


class Segmenter(Protocol):
    """Anything that finds objects by words."""

    def masks(self, images: Tensor, words: str) -> Tensor:
        """Masks float32 [images height width], 1 where an object is, of images float32 [images height width 3]."""
        ...


def names_in(words: str) -> list[str]:
    """The objects in "car, wheel"; raises HRVError if there is none."""
    names = listed(words)
    if not names:
        raise HRVError("There is no word for the object to leave out. Type what was edited, such as car.")
    return names


class WordSegmenter:
    """Masks of objects named by words; weights are a folder, or a download fetched with the first mask.

    threshold: the probability from which on a pixel belongs to the object.
    """

    def __init__(
        self,
        weights: Path | Download = CLIPSEG.download,
        device: str = "cpu",
        half: bool = False,
        threshold: float = 0.4,
    ) -> None:
        if isinstance(weights, Path):
            check_folder(CLIPSEG, weights)
        self.weights, self.device, self.half, self.threshold = weights, device, half, threshold

    def masks(self, images: Tensor, words: str) -> Tensor:
        """Masks float32 [images height width], 1 where any of the words' objects is; several separated by commas.

        images: float32 [images height width 3] in 0..1. Raises HRVError without a word.
        """
        by_word = [self._probabilities(images, name) for name in names_in(words)]
        return (torch.stack(by_word).amax(0) > self.threshold).float()

    def _probabilities(self, images: Tensor, word: str) -> Tensor:
        model, processor = loaded(CLIPSEG, self.weights, self.device, self.half)
        probabilities = []
        for part in images[..., :3].split(AT_ONCE):
            inputs = processor(text=[word] * len(part), images=list(as_bytes(part)), padding=True, return_tensors="pt")
            inputs = {name: value.to(self.device) for name, value in inputs.items()}
            inputs["pixel_values"] = inputs["pixel_values"].to(precision(self.half))
            with torch.no_grad():
                logits = model(**inputs).logits.float()
            maps = logits.reshape(len(part), 1, *logits.shape[-2:])  # one image comes without its dimension
            whole = torch.nn.functional.interpolate(maps, images.shape[1:3], mode="bilinear", align_corners=False)
            probabilities.append(whole[:, 0].sigmoid().cpu())
        return torch.cat(probabilities)
