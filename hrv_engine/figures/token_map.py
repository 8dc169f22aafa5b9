"""A token map laid over the image it was recorded from."""

import numpy as np
from torch import Tensor

from ..inspection.token_maps import peaked, resized
from .heat_map import colours


def overlaid(image: np.ndarray | None, view: Tensor, size: tuple[int, int], opacity: float) -> np.ndarray:
    """A map in viridis over the image in grey (None: the map alone), uint8 [height width 3] of `size`."""
    shade: np.ndarray = colours(peaked(resized(view[None], size)[0]).numpy()).astype(np.float32)
    if image is None:
        return shade.astype(np.uint8)
    grey = image[..., :3].astype(np.float32).mean(axis=-1, keepdims=True)
    return (shade * opacity + grey * (1 - opacity)).round().astype(np.uint8)
