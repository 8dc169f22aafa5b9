"""Images to teach and to try the scorer with: fresh renders with their labels, and roughened ones."""

from __future__ import annotations

import random

import torch
import torch.nn.functional as F
from torch import Tensor

from .captions import draw_caption, one_thing
from .labels import labels
from .parameters import parameters
from .render import Renderer
from .scenes import Scene

#: Attributes that are drawn for a scene with many of them; some give way to others.
RICH = 5


def draw_scenes(rng: random.Random, count: int, progress: float = 1.0, rich_share: float = 0.0) -> list[Scene]:
    """Scenes of the caption grammar at this progress; a share of them of one thing with many attributes instead."""
    return [
        (one_thing(rng, RICH) if rng.random() < rich_share else draw_caption(rng, progress)).scene for _ in range(count)
    ]


def rendered(scenes: list[Scene], rng: random.Random, renderer: Renderer) -> tuple[Tensor, dict[str, Tensor]]:
    """Images [n, 3, 64, 64] of the scenes and their labels, on the renderer's device."""
    truth = {family: numbers.to(renderer.device) for family, numbers in labels(scenes).items()}
    return renderer(parameters(scenes, rng)), truth


def roughen(images: Tensor, rng: random.Random, noise: float) -> Tensor:
    """The images with noise of their own; some batches blurred or shifted by a pixel or two."""
    images = images + noise * torch.rand_like(images[:, :1, :1, :1]) * torch.randn_like(images)
    if rng.random() < 0.15:
        images = 0.5 * images + 0.5 * F.avg_pool2d(F.pad(images, (1, 1, 1, 1), mode="replicate"), 3, 1)
    if rng.random() < 0.4:
        images = torch.roll(images, (rng.randint(-2, 2), rng.randint(-2, 2)), (2, 3))
    return images.clamp(0, 1)
