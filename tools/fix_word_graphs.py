"""The graph of HRV Fix Word: one node between loader and sampler."""

from __future__ import annotations

from typing import Any

from .graph_parts import GAP, MEANT, MISREAD, MISREAD_SAMPLER, Way, draw, negative_prompt
from .litegraph import Graph


def fix_word(graph: Graph) -> None:
    """The same prompt and seeds with and without the steering model, which alone makes the difference."""
    note = graph.note(420)
    loader = graph.node("HRVPocketModel", wide=340)
    fix = graph.node(
        "HRVFixWord", wide=340, model=(loader, "MODEL"), clip=(loader, "CLIP"), word=MEANT["word"],
        meaning=MEANT["desired"], not_meaning=MEANT["undesired"], more={"text": MISREAD},
    )  # fmt: skip
    negative = negative_prompt(graph, loader, 340)
    latent = graph.node("RepeatLatentBatch", "Images", wide=340, samples=(loader, "LATENT"), amount=4)
    columns = [[note, loader], [fix, negative, latent]]
    right, _ = graph.group("Prompt, word and meaning", (0, 0), columns)
    positive = (fix, "CONDITIONING")
    ways = [Way("Before", (loader, "MODEL"), positive), Way("After", (fix, "MODEL"), positive)]
    ends = {"negative": (negative, "CONDITIONING"), "latent": (latent, "LATENT"), "vae": (loader, "VAE")}
    drawn, _ = draw(graph, ways, ends, MISREAD_SAMPLER, 4.0, wide=0)
    images: dict[str, Any] = {name.lower(): (drawn, name) for name in ("Before", "After")}
    slider = graph.node("HRVBeforeAfter", wide=420, **images)
    slider["size"][1] = 520
    graph.group("Before and after", (right + GAP, 0), [[drawn], [slider]])
