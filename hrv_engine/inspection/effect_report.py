"""What vectors by effect say about themselves, as text."""

from typing import Any

import numpy as np

from ..relevance.effect import HeadEffects
from .similarity import cosines

FEW_HEADS = 10  # whose share of the positive effect is told


def recipe_lines(recipe: dict[str, Any]) -> list[str]:
    """Lines on the model and the settings that sums were built with; of a negative prompt only that there was one."""
    lines = []
    if "model_family" in recipe:
        lines.append(f"Built for {recipe['model_family']}, weights {recipe.get('model_fingerprint', 'unknown')}")
    told = {**recipe, "negative": "connected"} if "negative" in recipe else recipe
    settings = sorted((key, value) for key, value in told.items() if not key.startswith("model_"))
    return [*lines, "Settings: " + ", ".join(f"{key} {value}" for key, value in settings)]


def effect_lines(effects: HeadEffects) -> list[str]:
    """Lines on effects: samples, settings, and for every concept what part of d goes through its words' values."""
    lines = [f"By effect, {effects.images} samples: " + "; ".join(map(str, effects.parts))]
    lines += recipe_lines(effects.recipe)
    lines.append(
        "Concept: part of the word's effect that goes through its own values; of its positive part, the share of the"
        f" {FEW_HEADS} first heads; heads against it; how alike its words are (mean cosine)"
    )
    lines += [_concept_line(effects, number) for number in range(len(effects.concepts.concepts))]
    if effects.standard_errors is not None:
        lines.append(
            "Estimated without a gradient. Standard error, as a part of the vector's length: "
            + ", ".join(f"{name} {error:.0%}" for name, error in relative_errors(effects).items())
        )
    return lines


def relative_errors(effects: HeadEffects) -> dict[str, float]:
    """The length of each concept's standard errors over that of its vector; only for estimates without a gradient."""
    errors, means = effects.standard_errors, effects.means
    assert errors is not None
    lengths = np.linalg.norm(means, axis=1)
    return {
        name: float(np.linalg.norm(error) / length) if length else float("inf")
        for name, error, length in zip(effects.concepts.names, errors, lengths, strict=True)
    }


def _concept_line(effects: HeadEffects, number: int) -> str:
    name, rows, mean = effects.concepts.names[number], effects.rows[number], effects.means[number]
    used = effects.samples[rows] > 0
    if not used.any():
        return f"  {name}: not measured yet"
    positive = np.sort(np.maximum(mean, 0))[::-1]
    share = positive[:FEW_HEADS].sum() / positive.sum() if positive.any() else 0.0
    alike = cosines(effects.word_means[rows][used])
    pairs = alike[np.triu_indices(len(alike), 1)]
    told = f", {pairs.mean():.2f}" if len(pairs) else ""
    missing = "" if used.all() else f"; {int((~used).sum())} of {len(used)} words not measured yet"
    return f"  {name}: {mean.sum():.0%}, {share:.0%}, {int((mean < 0).sum())} of {mean.size}{told}{missing}"
