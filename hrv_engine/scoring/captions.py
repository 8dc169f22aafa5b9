"""Captions of images by BLIP-2 through transformers."""

from pathlib import Path

import torch
from torch import Tensor

from .hub import Download
from .pretrained import BLIP2, as_bytes, check_folder, loaded, precision

AT_ONCE = 8  # images in one pass
BEAMS, LONGEST = 5, 30  # beams, tokens: the defaults of BLIP-2's own library


class Captioner:
    """Says what is in images; weights are a folder, or a download that is fetched with the first caption."""

    def __init__(self, weights: Path | Download = BLIP2.download, device: str = "cpu", half: bool = False) -> None:
        if isinstance(weights, Path):
            check_folder(BLIP2, weights)
        self.weights, self.device, self.half = weights, device, half

    def captions(self, images: Tensor) -> list[str]:
        """One caption per image, the most likely by beam search; images float32 [images height width 3] in 0..1."""
        model, processor = loaded(BLIP2, self.weights, self.device, self.half)
        captions: list[str] = []
        for part in images[..., :3].split(AT_ONCE):
            pixels = processor(images=list(as_bytes(part)), return_tensors="pt")["pixel_values"]
            with torch.no_grad():
                tokens = model.generate(
                    pixel_values=pixels.to(self.device, precision(self.half)),
                    do_sample=False,
                    num_beams=BEAMS,
                    max_new_tokens=LONGEST,
                )
            captions += [" ".join(text.split()) for text in processor.batch_decode(tokens, skip_special_tokens=True)]
        return captions
