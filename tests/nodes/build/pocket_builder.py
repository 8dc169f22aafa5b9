"""Builds a part of 12 prompts on the pocket model into a file, saving after every batch: PATH START COUNT."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
LIMIT = 12

if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    from tools.pack import use_comfyui

    use_comfyui("--cpu")

import torch  # noqa: E402

from comfyui_hrv.hrv_engine.benchmarks.prompts import PromptSet  # noqa: E402
from comfyui_hrv.hrv_engine.pocket.model import MODELS  # noqa: E402
from comfyui_hrv.hrv_engine.relevance.concepts import ConceptSet  # noqa: E402
from comfyui_hrv.nodes.host import kept as host_kept  # noqa: E402
from comfyui_hrv.nodes.host.build import BuildSettings, build  # noqa: E402
from comfyui_hrv.nodes.host.pocket import load_pocket  # noqa: E402

SETTINGS = BuildSettings(32, 32, steps=4, cfg=3.0, batch_size=2, per_timestep=True)


def run(path: Path, start: int = 0, count: int = 0) -> int:
    """How many images the file counts in the end."""
    presets = ROOT / "hrv_presets"
    prompts = PromptSet.load(presets / "prompts" / "pocket.yaml").first(LIMIT)
    concepts = ConceptSet.load(presets / "concepts" / "pocket.yaml")
    with torch.inference_mode():
        return build(
            *load_pocket(MODELS["squares"])[:2], concepts, prompts, SETTINGS, path=path, start=start, count=count
        ).images


if __name__ == "__main__":
    host_kept.SAVE_EVERY = 0
    sys.stdout.write(str(run(Path(sys.argv[1]), *map(int, sys.argv[2:]))))
