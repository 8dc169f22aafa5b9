"""What the reading of drawings makes of renders that are right, misread, uncoloured or of another colour."""

from __future__ import annotations

import random

import torch

from ....hrv_engine.pocket.drawings import words
from ....hrv_engine.pocket.drawings.captions import stage
from ....hrv_engine.pocket.drawings.examples import rendered
from ....hrv_engine.pocket.drawings.render import Renderer
from ....hrv_engine.pocket.drawings.scenes import Named, Request
from .session import read_senses

NOUNS = 24  # of every sense and word


def task(world: str) -> dict[str, float]:
    """{sense: share that is read right}: 1 is wanted of "asked", 0 of the others; the squares have their own."""
    if world != "drawings":
        return {}
    rng, renderer = random.Random(0), Renderer("cpu")
    plain = [noun for noun in words.NOUNS if noun not in words.SECOND_SENSE and noun not in words.POLYSEMOUS_COLORS]
    right = dict.fromkeys(("asked", "a second thing", "uncoloured", "another colour"), 0)
    for color in words.POLYSEMOUS_COLORS:
        material = color in words.MATERIALS
        for noun in rng.sample(plain, NOUNS):
            paint = {"material": color} if material else {"color": color}
            other = rng.choice(["blue", "green", "purple", "teal", "white", "black"])
            senses = {
                "asked": (Named(noun, **paint),),
                "a second thing": (Named(color), Named(noun)),
                "uncoloured": (Named(noun),),
                "another colour": (Named(noun, other),),
            }
            scenes = [stage(Request(things), rng) for things in senses.values()]
            images, _ = rendered(scenes, rng, renderer)
            asked = {"color": color, "noun": noun}
            for place, sense in enumerate(senses):
                one = images[place : place + 1].movedim(1, -1)
                with torch.no_grad():
                    right[sense] += read_senses(world, one, asked)["right"]
    return {sense: count / (NOUNS * len(words.POLYSEMOUS_COLORS)) for sense, count in right.items()}
