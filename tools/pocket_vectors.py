"""Build the vectors of the squares that ship, by votes and by effect, in a real ComfyUI: hrv_presets/hrv.

Run after the pocket model's weights changed: `python -m tools.pocket_vectors`.
"""

from __future__ import annotations

import shutil

from hrv_engine.paths import PRESETS

from .demo_graphs import build_graph, effect_graph
from .server import ComfyServer

FOLDER = PRESETS / "hrv"


def main() -> None:
    graphs = {"pocket": build_graph("pocket", "Color"), "pocket_effect": effect_graph("pocket_effect", "")}
    graphs["pocket_effect"]["build"]["inputs"]["samples_per_word"] = 2
    with ComfyServer() as server:
        for name, graph in graphs.items():
            outputs = server.client.run(graph, timeout=3600)
            FOLDER.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(server.models / "hrv" / f"{name}.safetensors", FOLDER / f"{name}.safetensors")
            print(outputs["report"]["text"][0])


if __name__ == "__main__":
    main()
