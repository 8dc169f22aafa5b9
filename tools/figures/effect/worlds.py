"""The two pocket models as these figures need them: model, vectors of both kinds, prompts, the scorer's reading."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from hrv_engine.benchmarks.prompts import PromptSet
from hrv_engine.paths import PRESETS, ROOT
from hrv_engine.relevance import files
from hrv_engine.relevance.build_settings import BuildSettings, EffectSettings
from hrv_engine.relevance.concepts import ConceptSet
from hrv_engine.relevance.relevance import HeadRelevance
from hrv_engine.relevance.samples import SampleSet, Templates

FOLDER = ROOT / "output" / "figures" / "effect"
STEPS, CFG, SAMPLER, SCHEDULER = 10, 3.0, "ddim", "ddim_uniform"
EVERYTHING, WORD = "all tokens at -2", "the word at 0"  # how heads are weakened

VARIANTS: dict[str, dict[str, Any]] = {  # what differs from the build "effect"
    "effect": {},
    "effect gradient": {"integration": 1},
    "effect seed": {"seed": 5000},
    "effect one timestep": {"timesteps": 1},
    "effect forward": {"estimate": "forward only", "pairs": 32, "batch_size": 32},
}


@dataclass(frozen=True)
class World:
    """A pocket model: its name, the side of its images in pixels, and the presets that belong to it."""

    name: str
    side: int
    presets: str  # of concepts, prompts and templates
    weakening: str  # the benchmark whose prompts are weakened

    @property
    def concepts(self) -> ConceptSet:
        """The concepts that are compared: all of the squares, of the drawings those of the two benchmarks."""
        every = ConceptSet.load(PRESETS / "concepts" / f"{self.presets}.yaml")
        senses = {one[key] for one in self.polysemous(False) for key in ("desired", "undesired")}
        return every.keep({*self.weakened[0], *senses})

    @property
    def weakened(self) -> tuple[dict[str, dict[str, str]], dict[str, list[str]]]:
        """(template and lists of words by concept, the lists by name) of the prompts that are weakened."""
        data = yaml.safe_load((PRESETS / "benchmarks" / f"{self.weakening}.yaml").read_text(encoding="utf-8"))
        return data["experiments" if "experiments" in data else "compared"], data["words"]

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

    def polysemous(self, held_out: bool) -> list[dict[str, str]]:
        """Prompts that are misread: those for choosing settings, or those for counting."""
        name = f"{self.presets}_polysemous{'_heldout' if held_out else ''}"
        return yaml.safe_load((PRESETS / "benchmarks" / f"{name}.yaml").read_text(encoding="utf-8"))["prompts"]


WORLDS = {
    "squares": World("squares", 32, "pocket", "effect_squares"),
    "drawings": World("drawings", 64, "drawings", "drawings_weakening"),
}


@cache
def vectors(world: str, kind: str) -> HeadRelevance:
    """Vectors that `build.task` has built: "votes", "effect", or a variant of it."""
    return files.load(vectors_path(world, kind))


def vectors_path(world: str, kind: str) -> Path:
    """Where they are kept."""
    return FOLDER / f"{world}_{kind}.safetensors"
