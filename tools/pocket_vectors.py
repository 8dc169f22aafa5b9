"""`make pocket-vectors`: build the vectors of the pocket models that ship, by votes and by effect: hrv_presets/hrv.

Run after a model's weights changed. Every build is kept in output/vectors/ and goes on where it stopped; a finished one
is not done again until that folder is deleted.
"""

from __future__ import annotations

import argparse
import shutil
from dataclasses import asdict, dataclass
from typing import Any

from hrv_engine.paths import PRESETS, ROOT
from hrv_engine.relevance.build_settings import BuildSettings, DrawingSettings, EffectSettings
from hrv_engine.remote.prompt import Prompt

from .server import ComfyServer

FOLDER = PRESETS / "hrv"
KEPT = ROOT / "output" / "vectors"
HOURS = 3  # the most that one build may take


@dataclass(frozen=True)
class Recipe:
    """How the vectors of one pocket model are built: the presets' and the files' name, votes, effects."""

    name: str
    votes: BuildSettings
    effect: EffectSettings
    samples_per_word: int


RECIPES = {
    "squares": Recipe(
        "pocket",
        BuildSettings(32, 32, 20, 3.0, seed=1, batch_size=16, draws=4),
        EffectSettings(32, 32, 20, 3.0, seed=1, batch_size=8),
        samples_per_word=2,
    ),
    "drawings": Recipe(
        "drawings",
        BuildSettings(64, 64, 10, 3.0, seed=1, batch_size=8, draws=4),
        EffectSettings(64, 64, 10, 3.0, seed=1, batch_size=4),
        samples_per_word=1,
    ),
}


def _node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


def _graph(model: str, build: str, settings: DrawingSettings, save_as: str, **more: Any) -> Prompt:
    preset = RECIPES[model].name
    sources: dict[str, Any] = {"model": ["pocket", 0], "clip": ["pocket", 1], "concepts": ["concepts", 0]}
    return {
        "pocket": _node("HRVPocketModel", model=model),
        "concepts": _node("HRVConcepts", preset=preset, custom_yaml="", keep=""),
        "build": _node(build, **sources, **asdict(settings), save_as=save_as, resume=True, **more),
        "report": _node("PreviewAny", source=["build", 1]),
    }


def graphs(model: str) -> dict[str, Prompt]:
    """{file name: graph} of both builds of a pocket model; "report" is text."""
    recipe = RECIPES[model]
    votes = _graph(model, "HRVBuild", recipe.votes, recipe.name, prompts=["prompts", 0])
    votes["prompts"] = _node("HRVPromptSet", preset=recipe.name, custom="", limit=0)
    sentences = {"templates": recipe.name, "custom_templates": "", "samples_per_word": recipe.samples_per_word}
    effect = f"{recipe.name}_effect"
    return {recipe.name: votes, effect: _graph(model, "HRVBuildByEffect", recipe.effect, effect, **sentences)}


def main() -> None:
    """Build, and copy what is finished."""
    parser = argparse.ArgumentParser(prog="python -m tools.pocket_vectors", description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", default=list(RECIPES), help="squares, drawings; default: both")
    models = parser.parse_args().models
    FOLDER.mkdir(parents=True, exist_ok=True)
    with ComfyServer(KEPT) as server:
        for name, graph in [item for model in models for item in graphs(model).items()]:
            outputs = server.client.run(graph, timeout=HOURS * 3600)
            shutil.copyfile(server.models / "hrv" / f"{name}.safetensors", FOLDER / f"{name}.safetensors")
            print(outputs["report"]["text"][0])


if __name__ == "__main__":
    main()
