"""The graph in which another encoder's prompt gets its token table."""

from __future__ import annotations

from .graph_parts import (
    DRAWINGS_BY_EFFECT,
    GAP,
    MEANT,
    MISREAD,
    MISREAD_SAMPLER,
    Way,
    draw,
    empty_latent,
    negative_prompt,
)
from .litegraph import Graph


def pocket_other_encoder(graph: Graph) -> None:
    """A prompt of CLIP Text Encode, or of any other encoder, tagged and then steered."""
    note = graph.note(380)
    loader = graph.node("HRVPocketModel", wide=340)
    hrv = graph.node("HRVLoad", file=DRAWINGS_BY_EFFECT)
    text = graph.node("PrimitiveString", "Prompt", wide=340, value=MISREAD)
    said = (text, "STRING")
    encoded = graph.node("CLIPTextEncode", "Any encoder", clip=(loader, "CLIP"), text=said)
    encoded["size"][1] -= 50
    negative = negative_prompt(graph, loader, 300)
    latent = empty_latent(graph, loader, None, 8)
    tagged = graph.node("HRVTagConditioning", conditioning=(encoded, "CONDITIONING"), clip=(loader, "CLIP"), text=said)
    columns = [[note, loader, text], [hrv, encoded, negative, latent]]
    right, _ = graph.group("Model and prompt", (0, 0), columns)
    adjust = graph.node(
        "HRVConceptAdjust", model=(loader, "MODEL"), positive=(tagged, "CONDITIONING"), hrv=(hrv, "hrv"), **MEANT
    )
    right, _ = graph.group("Tagged, then steered", (right + GAP, 0), [[tagged, adjust]])
    ways = [
        Way("Plain", (loader, "MODEL"), (encoded, "CONDITIONING")),
        Way("Adjusted", (adjust, "MODEL"), (adjust, "positive")),
    ]
    ends = {"negative": (negative, "CONDITIONING"), "latent": (latent, "LATENT"), "vae": (loader, "VAE")}
    drawn, shown = draw(graph, ways, ends, MISREAD_SAMPLER, 4.0)
    graph.group("The same noise", (right + GAP, 0), [[drawn], shown])
