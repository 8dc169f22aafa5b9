"""Effects as tensors of an HRV file, and back after every number was checked."""

from typing import Any

import numpy as np

from ..attention.heads import HeadLayout
from .adding import MOST_BYTES
from .concepts import ConceptSet
from .effect import MOST_EFFECT, UNIT, HeadEffects
from .parts import Part
from .tensor_file import TensorFile

SUMS, SAMPLES, ERRORS = "effect_sums", "effect_samples", "effect_errors"
MOST_SAMPLES = 2_000_000  # of one word


def to_tensors(effects: HeadEffects) -> dict[str, np.ndarray]:
    """The tensors of a file with effects."""
    tensors = {SUMS: effects.sums, SAMPLES: effects.samples}
    return tensors if effects.errors is None else {**tensors, ERRORS: effects.errors}


def from_tensors(
    tensors: TensorFile, concepts: ConceptSet, layout: HeadLayout, recipe: dict[str, Any], parts: tuple[Part, ...]
) -> HeadEffects:
    """The effects of a file; ValueError for sums that so many samples cannot have given."""
    words = sum(len(concept.words) for concept in concepts.concepts)
    shape = (words, layout.total)
    sums: np.ndarray = tensors.read(SUMS, ("I64",), shape, MOST_BYTES).astype(np.int64)
    samples: np.ndarray = tensors.read(SAMPLES, ("I64",), (words,), MOST_BYTES).astype(np.int64)
    if samples.size and (samples.min() < 0 or samples.max() > MOST_SAMPLES):
        raise ValueError(f"a word has 0 to {MOST_SAMPLES} samples, not {samples.min()} or {samples.max()}")
    if int(samples.sum()) != sum(part.images for part in parts):
        raise ValueError(f"its {int(samples.sum())} samples are not those of its parts")
    most: np.ndarray = samples[:, None] * int(MOST_EFFECT / UNIT)
    if (np.abs(sums) > most).any() or (sums == np.iinfo(np.int64).min).any():
        raise ValueError("an effect is larger than any can be")
    errors: np.ndarray | None = None
    if ERRORS in tensors.entries:
        errors = tensors.read(ERRORS, ("I64",), shape, MOST_BYTES).astype(np.int64)
        if (errors < 0).any() or (errors > most).any():
            raise ValueError("a squared error is negative, or larger than any can be")
    return HeadEffects(sums, samples, concepts, layout, recipe, parts, errors)
