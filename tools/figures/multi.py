"""Prompts with several objects on the pocket model: one prompt under one method, read back by the scorer."""

from __future__ import annotations

import resource
from typing import Any

import numpy as np

from ...hrv_engine.benchmarks.several_objects import MultiPrompt
from ...hrv_engine.pocket.reading import read_several
from ...nodes.guidance.attend_excite import WORDS, HRVAttendExcite
from ...nodes.guidance.structured_diffusion import RULES, HRVStructuredDiffusion
from ...nodes.guidance.syngen import HRVSynGen
from ...nodes.host.words import encode
from ...nodes.images import to_pixels
from ...nodes.prompt import HRVPrompt
from . import session
from .subjects import SQUARES, Subject


def task(
    asked: MultiPrompt, method: str, settings: dict[str, Any], seed: int, images: int, subject: Subject = SQUARES
) -> tuple[dict[str, Any], np.ndarray]:
    """Counts {images, present, bound, seconds} of one prompt and its first image uint8 [height width 3].

    present: every noun is seen; bound: every noun is seen in the colour of its modifier, where it has one; seconds: CPU
    time of the sampling. settings: of the method, see MULTI in multi_report.
    """
    model, clip, vae = session.pocket(subject)
    positive, negative = HRVPrompt.execute(clip, asked.text).args[0], encode(clip, "")
    model, positive = guided(method, settings, model, clip, positive, asked, subject)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    latents = session.draw(model, positive, negative, seed, images, subject)
    seconds = resource.getrusage(resource.RUSAGE_SELF).ru_utime - before
    decoded = vae.decode(latents)
    present, bound = read_several(asked, session.scorer().read(decoded))
    counts = {"images": images, "present": int(present.sum()), "bound": int(bound.sum()), "seconds": seconds}
    return counts, to_pixels(decoded[:1])[0]


def guided(
    method: str, settings: dict[str, Any], model: Any, clip: Any, positive: list, asked: MultiPrompt, subject: Subject
) -> tuple[Any, list]:
    """MODEL and CONDITIONING of a method: plain, Structured Diffusion, SynGen, A&E or A&E-HRV (by votes or effect)."""
    if method == "Structured Diffusion":
        return HRVStructuredDiffusion.execute(model, positive, clip, "", RULES).args
    if method == "SynGen":
        return HRVSynGen.execute(
            model, positive, "", RULES, False, settings["steps"], settings["step_size"], False
        ).args
    if method.startswith("A&E"):
        preset, concepts = ("original", "") if method == "A&E" else ("hrv", ", ".join(asked.concepts))
        hrv = session.vectors(subject, "effect" if method.endswith("effect") else "votes")
        return HRVAttendExcite.execute(
            model, positive, ", ".join(asked.nouns), preset, concepts, WORDS, settings["sharpness"],
            settings["thresholds"], 20, True, settings["steps"], settings["step_size"], False, "all", hrv,
        ).args  # fmt: skip
    return model, positive
