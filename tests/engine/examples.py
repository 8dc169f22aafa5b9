"""Layouts, concepts and votes that several engine tests use."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hrv_engine.attention.heads import HeadLayout
from hrv_engine.relevance.concepts import Concept, ConceptSet
from hrv_engine.relevance.parts import Part
from hrv_engine.relevance.relevance import HeadVotes

RECIPE = {"steps": 20, "cfg": 7.5, "sampler_name": "ddim", "sampling": "per layer", "bos_key": True}
PART = Part("quick", "d1", seed=0, start=0, images=4)


def sd1_layout() -> HeadLayout:
    """SD1.x: 16 layers of 8 heads."""
    blocks = [("input", i) for i in (1, 2, 4, 5, 7, 8)] + [("middle", 0)] + [("output", i) for i in range(3, 12)]
    channels = {"input": {1: 320, 2: 320, 4: 640, 5: 640}, "middle": {}, "output": {i: 640 for i in (6, 7, 8)}}
    channels["output"] |= {i: 320 for i in (9, 10, 11)}
    return HeadLayout.from_json([[name, i, 0, 8, channels[name].get(i, 1280) // 8] for name, i in blocks])


def sdxl_layout() -> HeadLayout:
    """SDXL base: 70 layers, 1300 heads of 64 channels."""
    depth_and_heads = [("input", i, *((2, 10) if i < 6 else (10, 20))) for i in (4, 5, 7, 8)] + [("middle", 0, 10, 20)]
    depth_and_heads += [("output", i, *((10, 20) if i < 3 else (2, 10))) for i in range(6)]
    return HeadLayout.from_json(
        [[name, i, block, heads, 64] for name, i, depth, heads in depth_and_heads for block in range(depth)]
    )


def small_layout() -> HeadLayout:
    """Three layers of 2, 4 and 2 heads."""
    return HeadLayout.from_json([["input", 1, 0, 2, 4], ["middle", 0, 0, 4, 4], ["output", 2, 1, 2, 4]])


def concept_set(*names: str, name: str = "test") -> ConceptSet:
    """Concepts of two words each, `Color: [Color1, Color2]`."""
    return ConceptSet(name, tuple(Concept(each, (f"{each}1", f"{each}2")) for each in names))


def ballot(counts: list[list[int]] | np.ndarray, start: int = 0, images: int = 4, **changes) -> HeadVotes:
    """Votes for Color, Shape, ... over `small_layout`, counted on images start to start + images - 1."""
    counts = np.asarray(counts, np.int64)
    fields = {
        "counts": counts,
        "concepts": concept_set(*("Color", "Shape", "Size", "Texture")[: len(counts)]),
        "layout": small_layout(),
        "recipe": dict(RECIPE),
        "parts": (replace(PART, start=start, images=images),),
    }
    return HeadVotes(**(fields | changes))


def random_counts(seed: int, concepts: int = 3, heads: int = 8) -> np.ndarray:
    """Counts without an empty concept, int64 [concepts, heads]."""
    return np.random.default_rng(seed).integers(1, 50, (concepts, heads))
