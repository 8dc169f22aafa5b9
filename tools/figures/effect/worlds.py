"""The pocket models as these figures need them: model, vectors of both kinds, prompts, how images are drawn."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from hrv_engine.benchmarks.prompts import PromptSet
from hrv_engine.paths import PRESETS, ROOT
from hrv_engine.pocket.model import FLUX
from hrv_engine.relevance import files
from hrv_engine.relevance.build_settings import BuildSettings, EffectSettings
from hrv_engine.relevance.concepts import ConceptSet
from hrv_engine.relevance.relevance import HeadRelevance
from hrv_engine.relevance.samples import SampleSet, Templates
from hrv_engine.relevance.voting import PER_LAYER, PER_STEP

FIGURES = ROOT / "output" / "figures"
FOLDER = FIGURES / "effect"
DIT = "dit"
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
    """A pocket model, the presets that belong to it, how its images are drawn, and how much is built from them.

    side: of its images in pixels; presets: of concepts, prompts and templates; weakening: the benchmark whose prompts
    are weakened; model: its name in `models()`; voting: how many captions vote; words: who draws words of their own;
    dtype: of the weights where no effect is measured, by torch's name for it.
    """

    name: str
    side: int
    presets: str
    weakening: str
    model: str
    sampler: str = "ddim"
    scheduler: str = "ddim_uniform"
    steps: int = 10
    cfg: float = 3.0
    voting: int = 48
    draws: int = 4
    words: str = PER_LAYER
    integration: int = 4
    dtype: str = "float32"
    folder: Path = FOLDER

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
        return PromptSet.load(PRESETS / "prompts" / f"{self.presets}.yaml").first(self.voting)

    def samples(self, keep: Collection[str] = ()) -> SampleSet:
        """The samples of a build by effect, of all concepts or of those."""
        concepts = self.concepts.keep(keep) if keep else self.concepts
        return SampleSet(concepts, Templates.load(PRESETS / "templates" / f"{self.presets}.txt"))

    @property
    def votes_settings(self) -> BuildSettings:
        """How votes are taken."""
        return BuildSettings(**self._drawing, batch_size=8, draws=self.draws, sampling=self.words)

    def effect_settings(self, **changes: Any) -> EffectSettings:
        """How effects are measured."""
        return EffectSettings(**self._drawing, batch_size=4, **{"integration": self.integration, **changes})

    @property
    def _drawing(self) -> dict[str, Any]:
        return {
            "width": self.side, "height": self.side, "steps": self.steps, "cfg": self.cfg,
            "sampler_name": self.sampler, "scheduler": self.scheduler,
        }  # fmt: skip

    def polysemous(self, held_out: bool) -> list[dict[str, str]]:
        """Prompts that are misread: those for choosing settings, or those for counting."""
        name = f"{self.presets}_polysemous{'_heldout' if held_out else ''}"
        return yaml.safe_load((PRESETS / "benchmarks" / f"{name}.yaml").read_text(encoding="utf-8"))["prompts"]


WORLDS = {
    "squares": World("squares", 32, "pocket", "effect_squares", "squares"),
    "drawings": World("drawings", 64, "drawings", "drawings_weakening", "drawings"),
    DIT: World(
        DIT, 64, "drawings", "drawings_weakening", FLUX, "euler", "simple", steps=8, voting=16, draws=2, words=PER_STEP,
        integration=2, dtype="bfloat16", folder=FIGURES / "dit",
    ),
}  # fmt: skip


@cache
def vectors(world: str, kind: str) -> HeadRelevance:
    """Vectors that `build.task` has built: "votes", "effect", or a variant of it."""
    return files.load(vectors_path(world, kind))


def vectors_path(world: str, kind: str) -> Path:
    """Where they are kept."""
    return WORLDS[world].folder / f"{world}_{kind}.safetensors"
