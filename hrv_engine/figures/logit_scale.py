"""Each head's logit scale as an image (Table 4 over layers and heads)."""

import numpy as np

from ..attention.heads import HeadLayout
from ..relevance.logit_scale import LogitScale
from .heat_map import panel, side_by_side


def logit_figure(layout: HeadLayout, scale: LogitScale) -> np.ndarray:
    """Mean and standard deviation over layers and heads, largest and smallest mean marked; uint8 [height width 3]."""
    marks = {int(scale.mean.argmax()): "max", int(scale.mean.argmin()): "min"}
    return side_by_side(
        [panel(layout, scale.mean, "mean |q k| / sqrt(d)", marks), panel(layout, scale.std, "standard deviation")]
    )
