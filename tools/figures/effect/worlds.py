"""The two pocket models as these figures need them: model, vectors of both kinds, prompts, the scorer's reading."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from torch import Tensor

import nodes as core

from ....hrv_engine.benchmarks.prompts import PromptSet
from ....hrv_engine.paths import PRESETS, ROOT
from ....hrv_engine.pocket.drawings.paints import SHADES, rgb
from ....hrv_engine.pocket.drawings.reading import paint_of, thing_shown
from ....hrv_engine.pocket.drawings.scorer import CLASSES
from ....hrv_engine.pocket.model import MODELS
from ....hrv_engine.pocket.scorer import PocketScorer
from ....hrv_engine.pocket.scoring import read_polysemous
from ....hrv_engine.relevance import files
from ....hrv_engine.relevance.build_settings import BuildSettings, EffectSettings
from ....hrv_engine.relevance.concepts import ConceptSet
from ....hrv_engine.relevance.relevance import HeadRelevance
from ....hrv_engine.relevance.samples import SampleSet, Templates
from ....nodes.host.pocket import load_pocket
from ....nodes.host.sweep import Sampling

FOLDER = ROOT / "output" / "figures" / "effect"
STEPS, CFG, SAMPLER, SCHEDULER = 10, 3.0, "ddim", "ddim_uniform"
PRESENT = 0.5
NEAR = 0.25  # distance of middle tones in the cube of colours, up to which one is taken for the other


@dataclass(frozen=True)
class World:
    """A pocket model: its name, the side of its images in pixels, and the presets that belong to it."""

    name: str
    side: int
    presets: str  # of concepts, prompts and templates

    @property
    def concepts(self) -> ConceptSet:
        """All its concepts."""
        return ConceptSet.load(PRESETS / "concepts" / f"{self.presets}.yaml")

    @property
    def prompts(self) -> PromptSet:
        """The captions whose images vote."""
        return PromptSet.load(PRESETS / "prompts" / f"{self.presets}.yaml").first(48)

    def samples(self, rounds: int = 1) -> SampleSet:
        """The samples of a build by effect."""
        return SampleSet(self.concepts, Templates.load(PRESETS / "templates" / f"{self.presets}.txt"), rounds)

    @property
    def votes_settings(self) -> BuildSettings:
        """How votes are taken."""
        return BuildSettings(self.side, self.side, STEPS, CFG, batch_size=8, draws=4)

    def effect_settings(self, **changes: Any) -> EffectSettings:
        """How effects are measured."""
        return EffectSettings(self.side, self.side, STEPS, CFG, batch_size=4, **changes)

    def sampling(self, seed: int) -> Sampling:
        """How the images of the figures are drawn."""
        return Sampling(seed, STEPS, CFG, SAMPLER, SCHEDULER)

    def polysemous(self, held_out: bool) -> list[dict[str, str]]:
        """Prompts that are misread: those for choosing settings, or those for counting."""
        name = f"{self.presets}_polysemous{'_heldout' if held_out else ''}"
        return yaml.safe_load((PRESETS / "benchmarks" / f"{name}.yaml").read_text(encoding="utf-8"))["prompts"]

    def latent(self) -> dict[str, Any]:
        """An empty latent of one image."""
        return core.EmptyLatentImage().generate(self.side, self.side, 1)[0]


WORLDS = {"squares": World("squares", 32, "pocket"), "drawings": World("drawings", 64, "drawings")}


@cache
def pocket(world: str) -> tuple[Any, Any, Any]:
    """MODEL, CLIP and VAE, loaded once a process."""
    return load_pocket(MODELS[world])[:3]


@cache
def scorer() -> PocketScorer:
    """Reads words back from images of both."""
    return PocketScorer()


@cache
def vectors(world: str, kind: str) -> HeadRelevance:
    """Vectors that `build.task` has built: "votes", "effect", or a variant of it."""
    return files.load(vectors_path(world, kind))


def vectors_path(world: str, kind: str) -> Path:
    """Where they are kept."""
    return FOLDER / f"{world}_{kind}.safetensors"


def shown(images: Tensor, word: str) -> np.ndarray:
    """Probability that images [n height width 3] show a word, float64 [n]."""
    return scorer().score(images, word)


def read_senses(world: str, images: Tensor, asked: dict[str, str]) -> dict[str, int]:
    """Counts over images [n height width 3] of a polysemous prompt: right, thing (or any second one), noun, color."""
    pixels = images[..., :3].float().movedim(-1, 1)
    if world == "squares":
        read = read_polysemous(scorer().network(pixels), asked)
        thing, noun, color, right = read.unintended, read.shape, read.color, ~read.misread
    else:
        seen = scorer().network_of_drawings(pixels)
        pair = seen["count"].argmax(1) == CLASSES["count"].index("pair")
        thing = (thing_shown(seen, asked["color"]) > PRESENT) | pair
        noun = thing_shown(seen, asked["noun"]) > PRESENT
        color = near_paint(paint_of(seen, asked["noun"]), asked["color"])
        right = ~thing & noun & color
    found = {"right": right, "thing": thing, "noun": noun, "color": color}
    return {name: int(value.sum()) for name, value in found.items()}


def near_paint(probabilities: Tensor, color: str) -> Tensor:
    """Whether the paint read, of [n paints], is the colour or one that the eye hardly tells from it, bool [n]."""
    allowed = [CLASSES["paint"].index(name) for name in near(color)]
    return torch.isin(probabilities.argmax(1), torch.tensor(allowed))


@cache
def near(color: str) -> tuple[str, ...]:
    """The paints whose middle tone differs from a colour's by at most NEAR, of a cube of side 1."""
    middle = {name: np.array(rgb(codes[1])) for name, codes in SHADES.items()}
    return tuple(name for name in middle if np.linalg.norm(middle[name] - middle[color]) <= NEAR)
