"""A contact sheet of an experiment's first pictures: a row a condition, a column a case."""

import numpy as np
from PIL import Image

from ..sheets import sheet
from .plan import Job
from .store import Store

COLUMNS, ROWS = 8, 16


def contact_sheet(jobs: list[Job], store: Store, conditions: list[str], last: bool = True) -> np.ndarray:
    """One case of each group and variant (more of each where there are few), uint8 [height width 3].

    last: of several pictures a condition has, the last (an edit's target) or the first is shown.
    """
    chosen = _spread(jobs, max(1, ROWS // len(conditions)))
    tiles: list[np.ndarray] = []
    rows: list[str] = []
    for line in [chosen[start : start + COLUMNS] for start in range(0, len(chosen), COLUMNS)]:
        if rows and len(line) < COLUMNS:
            break
        for condition in conditions:
            files = [store.files(job.name, condition)[-1 if last else 0] for job in line]
            tiles += [np.asarray(Image.open(file).convert("RGB")) for file in files]
            rows.append(condition)
        columns = len(line)
    return sheet(np.stack(tiles), rows, [str(number + 1) for number in range(columns)])


def _spread(jobs: list[Job], lines: int) -> list[Job]:
    """The first case of every group, then the second of every group, and so on, `lines` lines of them."""
    rounds: dict[tuple[str, str], list[Job]] = {}
    for job in jobs:
        rounds.setdefault((job.variant, job.case.group), []).append(job)
    deepest = max((len(several) for several in rounds.values()), default=0)
    ordered = [several[depth] for depth in range(deepest) for several in rounds.values() if depth < len(several)]
    return ordered[: lines * COLUMNS]
