"""Reads attributes back from images of the pocket world, and tells whether a polysemous word was misread.

A small convolutional network looks at the image on an 8×8 grid. Objects are found anywhere on the grid (several may
be present); the colour *of* an object is read where that object was found, so that "a red circle and a blue square" is
told from "a blue circle and a red square".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from .scenes import COLORS, KINDS, MATERIALS, PATTERNS, SCENES, SHAPES, SIZES, STYLES, WEATHERS, kind_of

#: Names of the classes in each family's probabilities. "object" is multi-label, all others choose one class.
CLASSES: dict[str, tuple[str, ...]] = {
    "object": KINDS,
    "color": tuple(COLORS),
    "pattern": ("none", *PATTERNS),
    "material": ("none", *MATERIALS),
    "scene": ("none", *SCENES),
    "weather": ("none", *WEATHERS),
    "style": ("none", *STYLES),
    "size": ("usual", *SIZES),
    "position": ("center", "left", "right", "top", "bottom"),
    "count": ("none", "one", "two", "three", "four"),
}
PRESENT = 0.5


def _stage(channels: int, out_channels: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, out_channels, 3, stride, 1, bias=False), nn.BatchNorm2d(out_channels), nn.ReLU()
    )


class Scorer(nn.Module):
    """Images [n, 3, 32, 32] in 0..1 → probabilities by family [n, classes], and ``color_of`` [n, kinds, colours]."""

    def __init__(self) -> None:
        super().__init__()
        self.fine = nn.Sequential(_stage(12, 32), _stage(32, 48), _stage(48, 80, 2), _stage(80, 80), _stage(80, 96))
        self.coarse = nn.Sequential(_stage(96, 112, 2), _stage(112, 112))
        self.where = nn.Conv2d(96 + 112, len(KINDS), 1)
        self.tint = nn.Conv2d(96, len(COLORS), 1)
        others = [family for family in CLASSES if family not in ("object", "color")]
        self.whole = nn.ModuleDict({family: nn.Linear(2 * (96 + 112), len(CLASSES[family])) for family in others})

    def logits(self, images: Tensor) -> dict[str, Tensor]:
        """Unnormalised scores of every family, ``color_of`` included."""
        fine = self.fine(F.pixel_unshuffle(images * 2 - 1, 2))
        coarse = F.interpolate(self.coarse(fine), scale_factor=2.0, mode="nearest")
        both = torch.cat([fine, coarse], dim=1)
        maps = self.where(both).flatten(2)
        found = maps.softmax(-1)
        pooled = torch.cat([both.mean((2, 3)), both.amax((2, 3))], dim=1)
        result = {family: layer(pooled) for family, layer in self.whole.items()}
        result["object"] = torch.logsumexp(maps, dim=-1) - 2.0
        result["color_of"] = torch.einsum("nkp,ncp->nkc", found, self.tint(fine).flatten(2))
        return result

    @torch.no_grad()
    def forward(self, images: Tensor) -> dict[str, Tensor]:
        scores = {
            family: value.sigmoid() if family == "object" else value.softmax(-1)
            for family, value in self.logits(images).items()
        }
        main = scores["object"].argmax(1)
        scores["color"] = scores["color_of"][torch.arange(len(main)), main]
        return scores

    def save(self, path: str | Path) -> None:
        """Writes fp16 weights; the class names go into the metadata."""
        weights = {
            name: value.detach().half().contiguous() if value.is_floating_point() else value
            for name, value in self.state_dict().items()
        }
        save_file(weights, str(path), {"scorer": json.dumps(CLASSES)})

    @classmethod
    def load(cls, path: str | Path) -> Scorer:
        """Reads what :meth:`save` wrote, as fp32, ready to score."""
        with safe_open(str(path), "pt") as file:
            classes = json.loads((file.metadata() or {}).get("scorer", "null"))
            if classes != {family: list(names) for family, names in CLASSES.items()}:
                raise ValueError(f"{path} is no scorer for this version's classes; train it again: make train-pocket")
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        scorer = cls()
        scorer.load_state_dict({name: v.float() if v.is_floating_point() else v for name, v in weights.items()})
        return scorer.eval()


@dataclass(frozen=True)
class SeenSenses:
    """What the scorer saw of a polysemous prompt, one boolean [n] each."""

    unintended: Tensor
    shape: Tensor
    color: Tensor

    @property
    def intended(self) -> Tensor:
        """The asked shape is there, in the asked colour."""
        return self.shape & self.color

    @property
    def misread(self) -> Tensor:
        """The unintended thing is there, or the intended meaning is missing."""
        return self.unintended | ~self.intended


def read_polysemous(scores: Mapping[str, Tensor], prompt: Mapping[str, str]) -> SeenSenses:
    """How images of one polysemous prompt were read.

    `prompt` is an entry of ``hrv_presets/benchmarks/pocket_polysemous.yaml``: its ``color`` and ``shape`` are what was
    asked for, its ``thing`` (a fruit or plant) is the other sense of the word.
    """
    shape, color, thing = prompt["shape"], prompt["color"], kind_of(prompt["thing"])
    if shape not in SHAPES or color not in COLORS:
        legal = f"shapes: {', '.join(SHAPES)}; colors: {', '.join(COLORS)}"
        raise ValueError(f"shape {shape!r} or color {color!r} is unknown; {legal}")
    present = scores["object"] > PRESENT
    chosen = scores["color_of"][:, KINDS.index(shape)].argmax(-1)
    return SeenSenses(
        unintended=present[:, KINDS.index(thing)],
        shape=present[:, KINDS.index(shape)],
        color=chosen == CLASSES["color"].index(color),
    )


def misread(scores: Mapping[str, Tensor], prompt: Mapping[str, str]) -> Tensor:
    """Whether each image [n] misreads the prompt: the unintended thing is there, or the intended meaning is not."""
    return read_polysemous(scores, prompt).misread
