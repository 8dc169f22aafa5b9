"""Build the shipped vectors of the pocket model, hrv_presets/hrv/pocket.safetensors, in a real ComfyUI.

Run after the pocket model's weights changed: `python -m tools.pocket_vectors`.
"""

from __future__ import annotations

import shutil

from hrv_engine.paths import PRESETS

from .demo_graphs import build_graph
from .server import ComfyServer

TARGET = PRESETS / "hrv" / "pocket.safetensors"


def main() -> None:
    with ComfyServer() as server:
        outputs = server.client.run(build_graph("pocket", "Color"), timeout=3600)
        TARGET.parent.mkdir(exist_ok=True)
        shutil.copyfile(server.models / "hrv" / TARGET.name, TARGET)
        print(outputs["report"]["text"][0])


if __name__ == "__main__":
    main()
