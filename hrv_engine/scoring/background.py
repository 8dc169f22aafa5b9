"""BG-DINO: how much of the background an edit keeps, by DINOv2's embedding of what is not the object (appendix E.3)."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..errors import HRVError
from .hub import Download
from .pretrained import DINOV2, as_bytes, check_folder, loaded, precision

AT_ONCE = 16  # images in one pass


class BackgroundSimilarity:
    """Cosine of DINOv2's embeddings of source and edited image, each with its object painted black, -1 to 1.

    weights: a folder, or a download that is fetched with the first comparison.
    """

    name = "BG-DINO"

    def __init__(self, weights: Path | Download = DINOV2.download, device: str = "cpu", half: bool = False) -> None:
        if isinstance(weights, Path):
            check_folder(DINOV2, weights)
        self.weights, self.device, self.half = weights, device, half

    def compare(self, source: Tensor, edited: Tensor, masks: Tensor, edited_masks: Tensor | None = None) -> np.ndarray:
        """Similarities float64 [pairs] of images float32 [pairs height width 3] in 0..1.

        masks, edited_masks: the object in the source and in the edited image, 1 inside, [pairs or 1, h, w] of any
        size; without the second the first holds for both. Raises HRVError for numbers that do not fit and for a mask
        that leaves no background.
        """
        source, edited = image_pairs(source, edited)
        kept = without_object(source, masks)
        other = without_object(edited, masks if edited_masks is None else edited_masks)
        return (self._embedded(kept) * self._embedded(other)).sum(-1).double().numpy()

    def _embedded(self, images: Tensor) -> Tensor:
        """Unit vectors float32 [images channels]: the class token after the last norm, of the model's own crop."""
        model, processor = loaded(DINOV2, self.weights, self.device, self.half)
        embeddings = []
        for part in images.split(AT_ONCE):
            pixels = processor(images=list(as_bytes(part)), return_tensors="pt")["pixel_values"]
            with torch.no_grad():
                pooled = model(pixel_values=pixels.to(self.device, precision(self.half))).pooler_output
            embeddings.append(torch.nn.functional.normalize(pooled.float(), dim=-1).cpu())
        return torch.cat(embeddings)


def image_pairs(source: Tensor, edited: Tensor | None) -> tuple[Tensor, Tensor]:
    """(sources, edited) [pairs height width 3]; without edited images, source holds both in turn.

    Raises HRVError for numbers that do not pair.
    """
    if edited is None:
        if len(source) % 2 or not len(source):
            raise HRVError(
                f"{len(source)} images are no pairs of source and edited image in turn. Connect the batch that an"
                " editing node led to, or the edited images to edited."
            )
        return source[::2], source[1::2]
    if len(source) != len(edited) or not len(source):
        raise HRVError(
            f"{len(source)} source images do not pair with {len(edited)} edited ones. Give as many of both, in the"
            " same order."
        )
    return source, edited


def without_object(images: Tensor, masks: Tensor) -> Tensor:
    """Images [images height width 3] with black where a mask [images or 1, h, w] is above one half.

    Raises HRVError for another number of masks and for a mask over a whole image.
    """
    if masks.ndim != 3 or len(masks) not in (1, len(images)):
        raise HRVError(
            f"{len(masks)} masks do not fit {len(images)} images. Give one mask per image, or one for all of them."
        )
    whole = torch.nn.functional.interpolate(
        masks[:, None].float().cpu(), images.shape[1:3], mode="bilinear", align_corners=False
    )
    inside = (whole[:, 0] > 0.5).expand(len(images), -1, -1)
    full = inside.flatten(1).all(1).nonzero().flatten().tolist()
    if full:
        raise HRVError(
            f"The mask of image {full[0] + 1} covers all of it, so there is no background to compare. Mask only the"
            " object that was edited; an inverted mask covers the background instead."
        )
    return images[..., :3].float().cpu() * ~inside[..., None]
