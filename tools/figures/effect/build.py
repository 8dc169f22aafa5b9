"""Vectors of both kinds, built part by part into the files that the other figures read."""

from __future__ import annotations

from dataclasses import replace

from ....nodes.host.build import build
from ....nodes.host.build_effect import build_by_effect
from .session import pocket
from .worlds import VARIANTS, WORLDS, vectors_path


def task(world: str, kind: str, start: int, count: int, keep: list[str] | None = None) -> int:
    """Build images or samples `start` to `start + count` into the file of these vectors; how many it has now."""
    there = WORLDS[world]
    path = vectors_path(world, kind)
    if kind == "votes":
        model, clip, _ = pocket(world)
        votes = there.votes_settings
        return build(model, clip, there.concepts, there.prompts, votes, None, path, True, start, count).images
    model, clip, _ = pocket(world, "float32")  # the difference that a word makes may be as small as others' rounding
    samples = there.samples(keep or ())
    settings = replace(there.effect_settings(), **VARIANTS[kind])
    return build_by_effect(model, clip, samples, settings, None, path, True, start, count).images
