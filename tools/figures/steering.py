"""How strength and clamp change what the pocket model reads: one prompt under one setting, counted by the scorer."""

from __future__ import annotations

from typing import Any

from ...hrv_engine.pocket.drawings.reading import Senses
from ...nodes.host.words import encode
from ...nodes.prompt import HRVPrompt
from ...nodes.steering.adjust import HRVConceptAdjust
from ...nodes.steering.strengthen import HRVConceptStrengthen
from . import session
from .subjects import SQUARES, Subject


def task(
    asked: dict[str, str],
    method: str,
    strength: float,
    clamp: float,
    seed: int,
    images: int,
    subject: Subject = SQUARES,
    kind: str = "votes",
) -> dict[str, int]:
    """Images {images, misread, thing, shape, color} of a polysemous prompt; of drawings `shape` is the noun.

    method: plain, strengthened, adjusted, or shuffled (adjusted with the heads permuted, by `seed`); clamp 0: none.
    """
    model, clip, vae = session.pocket(subject)
    positive = HRVPrompt.execute(clip, asked["text"]).args[0]
    hrv = session.vectors(subject, kind)
    hrv = hrv.shuffled(seed) if method == "shuffled" else hrv
    window: tuple[Any, ...] = (strength, 0, clamp, 0.0, 1.0)
    if method == "strengthened":
        model, positive = HRVConceptStrengthen.execute(
            model, positive, hrv, asked["word"], asked["desired"], *window
        ).args
    elif method != "plain":
        senses = (asked["desired"], asked["undesired"], 2.0, 1.0)
        model, positive = HRVConceptAdjust.execute(model, positive, hrv, asked["word"], *senses, *window).args
    decoded = vae.decode(session.draw(model, positive, encode(clip, ""), seed, images, subject))
    read = session.scorer().senses(decoded, asked)
    seen = (read.thing, read.noun) if isinstance(read, Senses) else (read.unintended, read.shape)
    counted = dict(zip(("misread", "thing", "shape", "color"), (read.misread, *seen, read.color), strict=True))
    return {"images": images, **{name: int(value.sum()) for name, value in counted.items()}}
