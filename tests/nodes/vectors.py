"""Vectors without meaning for tiny models."""

from __future__ import annotations

from typing import Any

import numpy as np

from comfyui_hrv.hrv_engine.relevance.concepts import Concept, ConceptSet
from comfyui_hrv.hrv_engine.relevance.relevance import HeadRelevance
from comfyui_hrv.nodes.host.unet import layout_of

WORDS = {"Color": "red", "Plants": "tree", "Animals": "cat", "Material": "metal"}


def random_vectors(model: Any, *concepts: str) -> HeadRelevance:
    """Random relevances of concepts with a word each; a row sums to the number of heads, as built ones do."""
    layout = layout_of(model)
    values = np.random.default_rng(3).random((len(concepts), layout.total)) ** 2
    values *= layout.total / values.sum(axis=1, keepdims=True)
    named = ConceptSet("random", tuple(Concept(name, (WORDS[name],)) for name in concepts))
    return HeadRelevance(values.astype(np.float32), named, layout)
