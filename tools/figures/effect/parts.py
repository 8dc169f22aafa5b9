"""The parts of these figures, one after another; every finished one is kept and not done again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from .. import workers


def finished(
    path: Path,
    parts: Mapping[str, Callable[[ProcessPoolExecutor, str], Any]],
    worlds: Iterable[str],
    processes: int | None = None,
) -> dict[str, Any]:
    """{world: {part: figures}} of all that is kept in `path`, after these parts.

    processes: by default one a core.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    done: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    with workers.pool(processes) as executor:
        for name, part in parts.items():
            for world in worlds:
                if name not in done.get(world, {}):
                    done.setdefault(world, {})[name] = part(executor, world)
                    path.write_text(json.dumps(done, indent=1) + "\n", encoding="utf-8")
    return done
