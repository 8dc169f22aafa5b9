"""Images between the engine and ComfyUI."""

import numpy as np
import torch
from torch import Tensor


def to_image(image: np.ndarray) -> Tensor:
    """An image uint8 [height width 3] as ComfyUI's IMAGE, float32 [1 height width 3] in 0..1."""
    return torch.from_numpy(np.array(image)).float()[None] / 255


def size_of(images: Tensor) -> tuple[int, int]:
    """Width and height of the images of an IMAGE [images height width channels]."""
    return int(images.shape[2]), int(images.shape[1])


def to_pixels(images: Tensor) -> np.ndarray:
    """ComfyUI's IMAGE [images height width channels] as uint8, of the same shape."""
    return (images.clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy()
