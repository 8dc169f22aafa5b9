"""Ordered weakening of one prompt on the pocket model: HRV orders beside random ones, scored image by image."""

from __future__ import annotations

from typing import Any

import numpy as np

import nodes as core

from ...hrv_engine.weakening.orders import head_order
from ...nodes.host.sweep import Sampling, sweep
from ...nodes.host.words import encode
from ...nodes.images import to_pixels
from ...nodes.prompt import HRVPrompt
from . import session
from .subjects import SQUARES

AT_ONCE = 32


def task(
    concept: str, text: str, word: str, seed: int, orders: list[tuple[str, str, int]], counts: list[int], factor: float
) -> tuple[list[dict[str, Any]], np.ndarray]:
    """Rows {order, heads, factor, seed, prompt, word, score} and the images of the first two orders.

    orders: (label, order, order seed); counts: numbers of weakened heads, 0 and all of them included, which are drawn
    once because every order gives the same image there. Images uint8 [2 counts height width 3].
    """
    model, clip, vae = session.pocket()
    relevance, total = session.vectors(), session.vectors().layout.total
    positive = HRVPrompt.execute(clip, text).args[0]
    wanted: dict[tuple[str, int], np.ndarray] = {}
    for label, order, number in orders:
        sequence = head_order(relevance, concept, order, number)
        for k in counts:
            key = ("", k) if k in (0, total) else (label, k)
            factors: np.ndarray = np.ones(total, np.float32)
            factors[sequence[:k]] = factor
            wanted[key] = factors
    latent = core.EmptyLatentImage().generate(32, 32, 1)[0]
    sampling = Sampling(seed, SQUARES.steps, session.CFG, session.SAMPLER, session.SCHEDULER)
    everything = (lambda table: table.columns, np.stack(list(wanted.values())), sampling, AT_ONCE)
    images = vae.decode(sweep(model, positive, encode(clip, ""), latent, *everything))
    place = {key: number for number, key in enumerate(wanted)}
    scores = session.scorer().score(images, word)
    rows, shown = [], []
    for label, _, _ in orders:
        for k in counts:
            index = place["", k] if k in (0, total) else place[label, k]
            rows.append(
                {
                    "order": label,
                    "heads": k,
                    "factor": factor,
                    "seed": seed,
                    "prompt": text,
                    "word": word,
                    "score": float(scores[index]),
                    "total": total,
                }
            )
            shown.append(index)
    return rows, to_pixels(images)[shown[: 2 * len(counts)]]
