"""Which pocket model a figure is of: the squares, the drawings, or other weights of either."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hrv_engine.paths import PRESETS


@dataclass(frozen=True)
class Subject:
    """A pocket model as these figures draw it.

    model: its name in `MODELS`; side: of its images in pixels; steps: of DDIM; presets: the name of its concepts,
    vectors and benchmarks; weights, votes: other files than those that ship; beside votes.safetensors lie vectors by
    effect as votes_effect.safetensors.
    """

    model: str
    side: int
    steps: int
    presets: str
    weights: str = ""
    votes: str = ""

    def vectors(self, kind: str) -> Path:
        """The file of its vectors by "votes" or by "effect"."""
        votes = Path(self.votes) if self.votes else PRESETS / "hrv" / f"{self.presets}.safetensors"
        return votes.with_stem(f"{votes.stem}_effect") if kind == "effect" else votes

    def folder(self, figures: Path) -> Path:
        """Where its figures go: those of the squares into the folder itself."""
        weights = Path(self.weights).stem if self.weights else ""
        return figures / self.model / weights if weights or self.model != SQUARES.model else figures

    def benchmark(self, name: str) -> Path:
        """Its twin of a benchmark."""
        return PRESETS / "benchmarks" / f"{self.presets}_{name}.yaml"


SQUARES = Subject("squares", 32, 20, "pocket")
SUBJECTS = {subject.model: subject for subject in (SQUARES, Subject("drawings", 64, 10, "drawings"))}
