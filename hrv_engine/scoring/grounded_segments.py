"""Objects as the paper finds them: boxes of words by Grounding DINO, outlines in the boxes by SAM 2 (appendix E.3)."""

from pathlib import Path

import torch
from torch import Tensor

from .hub import Download
from .pretrained import DETECTOR, SAM2, as_bytes, check_folder, loaded
from .segments import names_in

AT_ONCE = 4  # images in one pass of the detector
THRESHOLD = 0.4  # of a box; Grounded-SAM-2's own


class GroundedSegmenter:
    """Masks of objects named by words; weights are folders, or downloads fetched with the first mask.

    threshold: the detector's certainty from which on a box counts.
    """

    def __init__(
        self, detector: Path | Download = DETECTOR.download, outliner: Path | Download = SAM2.download,
        device: str = "cpu", threshold: float = THRESHOLD,
    ) -> None:  # fmt: skip
        for kind, weights in ((DETECTOR, detector), (SAM2, outliner)):
            if isinstance(weights, Path):
                check_folder(kind, weights)
        self.detector, self.outliner, self.device, self.threshold = detector, outliner, device, threshold

    def masks(self, images: Tensor, words: str) -> Tensor:
        """Masks float32 [images height width], 1 where any of the words' objects is, 0 everywhere if none is found.

        images: float32 [images height width 3] in 0..1. Raises HRVError without a word.
        """
        text = " ".join(f"{name.lower().rstrip('.')}." for name in names_in(words))
        masks = []
        for part in as_bytes(images[..., :3]).split(AT_ONCE):
            boxes = self._boxes(part, text)
            masks += [self._outlines(image, own) for image, own in zip(part, boxes, strict=True)]
        return torch.stack(masks)

    def _boxes(self, images: Tensor, text: str) -> list[Tensor]:
        """Boxes [boxes 4] in pixels, left, top, right, bottom, of each image uint8 [images 3 height width]."""
        model, processor = loaded(DETECTOR, self.detector, self.device)
        texts = [text] * len(images)
        inputs = processor(images=list(images), text=texts, padding=True, return_tensors="pt").to(self.device)
        with torch.no_grad():
            output = model(**inputs)
        sizes = [tuple(images.shape[-2:])] * len(images)
        detections = processor.post_process_grounded_object_detection(
            output, inputs["input_ids"], threshold=self.threshold, target_sizes=sizes
        )
        return [detection["boxes"].float().cpu() for detection in detections]

    def _outlines(self, image: Tensor, boxes: Tensor) -> Tensor:
        """The union float32 [height width] of the objects in the boxes of an image uint8 [3 height width]."""
        if not len(boxes):
            return torch.zeros(image.shape[-2:])
        model, processor = loaded(SAM2, self.outliner, self.device)
        inputs = processor(images=[image], input_boxes=[boxes.tolist()], return_tensors="pt").to(self.device)
        with torch.no_grad():
            output = model(**inputs, multimask_output=False)
        (outlines,) = processor.post_process_masks(output.pred_masks.float().cpu(), inputs["original_sizes"].cpu())
        return outlines[:, 0].any(0).float()
