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
    """MODEL and CONDITIONING in which every head h scales the map columns `where` finds by 1 + strength (r_h - 1)."""
    check_window(start, end)
    check_wires("This steering node", {0: "MODEL", 1: "positive"})
    scale = HeadScale((), with_strength(factors, strength), start, end)
    marked = with_scale(positive, where, scale)
    touched = 0 if start == end else int((scale.factors != 1).sum())
    note = f"{touched} of {factors.size} heads rescaled, r from {scale.factors.min():.2f} to {scale.factors.max():.2f}"
    return io.NodeOutput(steered(model), marked, ui=shown(note))


def word_columns(word: str, occurrence: int = 0) -> Where:
    """Finds the columns of a word or phrase: of all occurrences (0) or of the nth."""
    return lambda table: table.columns_of(word, occurrence)
