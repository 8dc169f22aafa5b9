"""Ordered weakening of one prompt under every order: what is left of the word, and of the word beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ....nodes.host.sweep import sweep
from ....nodes.host.words import encode
from ....nodes.prompt import HRVPrompt
from .orders import order
from .session import latent, pocket, sampling, shown
from .worlds import EVERYTHING

AT_ONCE = 16


def task(
    world: str,
    concept: str,
    text: str,
    word: str,
    kept: str,
    seed: int,
    wanted: dict[str, list[str]],
    counts: list[int],
    given: Mapping[str, Sequence[int]] | None = None,
) -> list[dict[str, Any]]:
    """Rows {concept, prompt, how, order, heads, score, kept}; wanted: the orders by how heads are weakened.

    counts: numbers of weakened heads, 0 and all of them included, which are drawn once for all orders. given: orders
    of heads that are not those of vectors.
    """
    model, clip, vae = pocket(world)
    positive, negative = HRVPrompt.execute(clip, text).args[0], encode(clip, "")
    rows, known = [], given or {}
    for how, orders in wanted.items():
        factor = -2.0 if how == EVERYTHING else 0.0
        where = (lambda table: table.columns) if how == EVERYTHING else (lambda table: table.columns_of(word))
        sequences = {name: known[name] if name in known else order(world, concept, name) for name in orders}
        total = len(next(iter(sequences.values())))
        variants: dict[tuple[str, int], np.ndarray] = {}
        for name, sequence in sequences.items():
            for count in counts:
                factors: np.ndarray = np.ones(total, np.float32)
                factors[sequence[:count]] = factor
                variants["" if count in (0, total) else name, count] = factors
        latents = sweep(
            model, positive, negative, latent(world), where, np.stack(list(variants.values())), sampling(world, seed),
            AT_ONCE,
        )  # fmt: skip
        images = vae.decode(latents)
        scores, others = shown(images, word), shown(images, kept)
        place = {key: number for number, key in enumerate(variants)}
        for name in orders:
            for count in counts:
                at = place["" if count in (0, total) else name, count]
                row = {"concept": concept, "prompt": text, "how": how, "order": name, "heads": count, "total": total}
                rows.append(row | {"score": float(scores[at]), "kept": float(others[at])})
    return rows
