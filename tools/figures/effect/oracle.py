"""Every head alone: what is left of a word when one head is weakened, the order that no estimate can beat by much."""

from __future__ import annotations

import numpy as np

from ....nodes.host.sweep import sweep
from ....nodes.host.words import encode
from ....nodes.prompt import HRVPrompt
from .session import latent, pocket, sampling, shown
from .weakening import AT_ONCE
from .worlds import vectors


def task(world: str, concept: str, text: str, word: str, seed: int) -> tuple[str, list[float]]:
    """The concept, and how much of the word's probability each head takes away alone at -2, [heads]."""
    model, clip, vae = pocket(world)
    positive, total = HRVPrompt.execute(clip, text).args[0], vectors(world, "votes").layout.total
    factors: np.ndarray = np.ones((total + 1, total), np.float32)
    factors[np.arange(total), np.arange(total)] = -2.0
    everything = (lambda table: table.columns, factors, sampling(world, seed), AT_ONCE)
    images = vae.decode(sweep(model, positive, encode(clip, ""), latent(world), *everything))
    scores = shown(images, word)
    return concept, (scores[-1] - scores[:-1]).tolist()
