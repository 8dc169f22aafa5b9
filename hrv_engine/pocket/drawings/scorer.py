"""The network that reads drawings, colours, patterns, places, weather, light, style and number back from an image.

It is made for one CPU core: the image is folded into 4×4 blocks of pixels first, so that no layer works on more than
16×16 positions. What is shown is read from the whole image; of two things side by side each is read from its own half,
by the same two classifiers. Styles, patterns and light are textures more than shapes, so what is read of the image as a
whole sees the early layers beside the last.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from .paints import PAINTS
from .words import DRAWINGS, FOLDER, LIGHTS, PATTERNS, PLACES, SIZES, STYLES, WEATHERS

#: Classes read from the whole image and from either half: "object", "left_object", "right_object", and so on.
PARTS = ("", "left_", "right_")
OF_A_THING: dict[str, tuple[str, ...]] = {"object": DRAWINGS, "paint": ("natural", *PAINTS)}
OF_THE_IMAGE: dict[str, tuple[str, ...]] = {
    "pattern": ("none", *PATTERNS),
    "place": ("none", *PLACES),
    "weather": ("none", *WEATHERS),
    "light": ("none", *LIGHTS),
    "style": ("none", *STYLES),
    "size": ("usual", *SIZES),
    "position": ("center", "left", "right", "top", "bottom"),
    # "two" to "four": as many copies of one thing; "pair": two different things
    "count": ("none", "one", "two", "three", "four", "pair"),
}
#: Family → its classes; each family chooses one of them.
CLASSES = {f"{part}{name}": classes for part in PARTS for name, classes in OF_A_THING.items()} | OF_THE_IMAGE
SHIPPED_SCORER = FOLDER / "scorer.safetensors"
FOLD = 4
WIDTH = 384
#: The first layers, which keep 16×16 positions, and their width.
EARLY, EARLY_WIDTH = 2, 96


def _stage(channels: int, out_channels: int, stride: int = 1, kernel: int = 3) -> nn.Sequential:
    convolution = nn.Conv2d(channels, out_channels, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(out_channels), nn.ReLU())


def _pooled(features: Tensor) -> Tensor:
    """Mean and maximum [n, 2 channels] over the positions."""
    return torch.cat([features.mean((2, 3)), features.amax((2, 3))], dim=1)


class Scorer(nn.Module):
    """Images [n, 3, 64, 64] in 0..1 → probabilities [n, classes] by family of :data:`CLASSES`."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(_stage(3 * FOLD * FOLD, 64), _stage(64, EARLY_WIDTH)),
            *(_stage(EARLY_WIDTH, 160, stride=2), _stage(160, 160)),
            *(_stage(160, 256, stride=2), _stage(256, 256), _stage(256, WIDTH, kernel=1)),
        )
        self.thing = nn.ModuleDict({name: nn.Linear(2 * WIDTH, len(OF_A_THING[name])) for name in OF_A_THING})
        width = 2 * WIDTH + 2 * EARLY_WIDTH
        self.whole = nn.ModuleDict({name: nn.Linear(width, len(OF_THE_IMAGE[name])) for name in OF_THE_IMAGE})

    def logits(self, images: Tensor) -> dict[str, Tensor]:
        """Unnormalised scores of every family."""
        early = self.body[:EARLY](F.pixel_unshuffle(images * 2 - 1, FOLD))
        features = self.body[EARLY:](early)
        half = features.shape[-1] // 2
        pooled = [_pooled(region) for region in (features, features[..., :half], features[..., half:])]
        everything = torch.cat([pooled[0], _pooled(early)], dim=1)
        result = {name: layer(everything) for name, layer in self.whole.items()}
        for part, vector in zip(PARTS, pooled, strict=True):
            result |= {f"{part}{name}": layer(vector) for name, layer in self.thing.items()}
        return result

    @torch.no_grad()
    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return {family: scores.float().softmax(-1) for family, scores in self.logits(images).items()}

    def save(self, path: str | Path) -> None:
        """Writes fp16 weights; the class names go into the metadata."""
        weights = {
            name: value.detach().cpu().half().contiguous() if value.is_floating_point() else value.cpu()
            for name, value in self.state_dict().items()
        }
        save_file(weights, str(path), {"drawings scorer": json.dumps(CLASSES)})

    @classmethod
    def load(cls, path: str | Path) -> Scorer:
        """Reads what :meth:`save` wrote, as fp32, ready to score; raises ValueError for a file of other classes."""
        with safe_open(str(path), "pt") as file:
            found = json.loads((file.metadata() or {}).get("drawings scorer", "null"))
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if found != {family: list(classes) for family, classes in CLASSES.items()}:
            raise ValueError(f"{path} is no scorer of this version's drawings and words; train it again")
        scorer = cls()
        as_fp32 = {name: value.float() if value.is_floating_point() else value for name, value in weights.items()}
        scorer.load_state_dict(as_fp32)
        return scorer.eval()
