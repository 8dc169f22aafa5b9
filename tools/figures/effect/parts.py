"""The parts of these figures, one after another; every finished one is kept and not done again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from hrv_engine.pocket.model import models

from .. import workers
from .worlds import WORLDS


def finished(
    path: Path,
    parts: Mapping[str, Callable[[ProcessPoolExecutor, str], Any]],
    worlds: Iterable[str],
    processes: int | None = None,
) -> dict[str, Any]:
    """{world: {part: figures}} of all that is kept in `path`, after these parts.

    processes: by default one a core. What was kept of a world whose model has other weights by now is thrown away.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    done: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for world in worlds:
        weights = hashlib.sha256(models()[WORLDS[world].model].read_bytes()).hexdigest()
        if done.get(world, {}).get("weights") != weights:
            done[world] = {"weights": weights}
            for built in path.parent.glob(f"{world}_*.safetensors"):
                built.unlink()
    with workers.pool(processes) as executor:
        for name, part in parts.items():
            for world in worlds:
                if name not in done.get(world, {}):
                    done.setdefault(world, {})[name] = part(executor, world)
                    path.write_text(json.dumps(done, indent=1) + "\n", encoding="utf-8")
    return done
