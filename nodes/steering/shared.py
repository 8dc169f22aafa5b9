"""What the steering nodes have in common: factors r_h for a word -> a marked conditioning and a model that obeys it."""

from typing import Any

import numpy as np
from comfy_api.latest import io

from ...hrv_engine.relevance.rescale import HeadScale, check_window, with_strength
from ..host.conditioning import Where, with_scale
from ..host.node_texts import shown
from ..host.steering import steered
from ..host.wires import check_wires


def steer(
    model: Any, positive: list, where: Where, factors: np.ndarray, strength: float, start: float, end: float
) -> io.NodeOutput:
    """MODEL and CONDITIONING of `rescaled` as the outputs of a node, its sentence shown under the node."""
    check_wires("This steering node", {0: "MODEL", 1: "positive"})
    changed, marked, note = rescaled(model, positive, where, factors, strength, start, end)
    return io.NodeOutput(changed, marked, ui=shown(note))


def rescaled(
    model: Any, positive: list, where: Where, factors: np.ndarray, strength: float, start: float = 0.0, end: float = 1.0
) -> tuple[Any, list, str]:
    """MODEL and CONDITIONING in which every head h scales the map columns `where` finds by 1 + strength (r_h - 1).

    With a sentence that says how many heads that is. Raises HRVError for a window that runs backwards.
    """
    check_window(start, end)
    scale = HeadScale((), with_strength(factors, strength), start, end)
    marked = with_scale(positive, where, scale)
    touched = 0 if start == end else int((scale.factors != 1).sum())
    note = f"{touched} of {factors.size} heads rescaled, r from {scale.factors.min():.2f} to {scale.factors.max():.2f}"
    return steered(model), marked, note


def word_columns(word: str, occurrence: int = 0) -> Where:
    """Finds the columns of a word or phrase: of all occurrences (0) or of the nth."""
    return lambda table: table.columns_of(word, occurrence)
