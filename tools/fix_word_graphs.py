"""The graph of HRV Fix Word: one node between loader and sampler (40)."""

from __future__ import annotations

from .graph_parts import MEANT, MISREAD, MISREAD_SAMPLER, see
from .litegraph import Graph

ENLARGE, GAP = 4.0, 30


def fix_word(graph: Graph) -> None:
    """40: the same prompt and seeds with and without the steering model, which alone makes the difference."""
    note = graph.note(440, wide=320)
    loader = graph.node("HRVPocketModel")
    fix = graph.node(
        "HRVFixWord", wide=320, model=(loader, "MODEL"), clip=(loader, "CLIP"), word=MEANT["word"],
        meaning=MEANT["desired"], not_meaning=MEANT["undesired"], more={"text": MISREAD},
    )  # fmt: skip
    negative = graph.node("CLIPTextEncode", "Negative prompt", clip=(loader, "CLIP"), text="")
    latent = graph.node("RepeatLatentBatch", samples=(loader, "LATENT"), amount=4)
    right, _ = graph.group("Prompt, word and meaning", (0, 0), [[note, loader], [fix, negative, latent]])
    shared = {
        "positive": (fix, "CONDITIONING"), "negative": (negative, "CONDITIONING"), "latent_image": (latent, "LATENT"),
        **MISREAD_SAMPLER,
    }  # fmt: skip
    bottom = -GAP
    for title, model in (("Before", loader), ("After", fix)):
        sampler = graph.node("KSampler", f"KSampler ({title.lower()})", model=(model, "MODEL"), **shared)
        (decoded, enlarged, shown) = sum(see(graph, sampler, loader, title, ENLARGE), [])
        shown["size"][0] = 380
        _, bottom = graph.group(title, (right + GAP, bottom + GAP), [[sampler], [decoded, enlarged], [shown]])
