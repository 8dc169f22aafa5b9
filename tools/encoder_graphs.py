"""The graph in which another encoder's prompt gets its token table (30)."""

from __future__ import annotations

from .graph_parts import DRAWINGS_BY_EFFECT, MEANT, MISREAD, MISREAD_SAMPLER, empty_latent, see
from .litegraph import Graph


def pocket_other_encoder(graph: Graph) -> None:
    """30: a prompt of CLIP Text Encode, or of any other encoder, tagged and then steered."""
    note = graph.note(560)
    loader = graph.node("HRVPocketModel")
    hrv = graph.node("HRVLoad", file=DRAWINGS_BY_EFFECT)
    text = graph.node("PrimitiveString", "Prompt", value=MISREAD)
    said = (text, "STRING")
    encoded = graph.node("CLIPTextEncode", "Any encoder", wide=320, clip=(loader, "CLIP"), text=said)
    negative = graph.node("CLIPTextEncode", "Negative prompt", wide=320, clip=(loader, "CLIP"), text="")
    latent = empty_latent(graph, loader, None, 8)
    tagged = graph.node(
        "HRVTagConditioning", wide=320, conditioning=(encoded, "CONDITIONING"), clip=(loader, "CLIP"), text=said
    )
    columns = [[note], [loader, hrv, text], [encoded, negative, latent], [tagged]]
    right, _ = graph.group("Model and prompt", (0, 0), columns)
    shared = {"negative": (negative, "CONDITIONING"), "latent_image": (latent, "LATENT"), **MISREAD_SAMPLER}
    plain = graph.node(
        "KSampler", "KSampler (plain)", model=(loader, "MODEL"), positive=(encoded, "CONDITIONING"), **shared
    )
    _, middle = graph.group("Plain", (right + 40, 0), [[plain], *see(graph, plain, loader, "Plain", 4.0)])
    adjust = graph.node(
        "HRVConceptAdjust", wide=320, model=(loader, "MODEL"), positive=(tagged, "CONDITIONING"), hrv=(hrv, "hrv"),
        **MEANT,
    )  # fmt: skip
    ends = {"model": (adjust, "MODEL"), "positive": (adjust, "positive"), **shared}
    steered = graph.node("KSampler", "KSampler (adjusted)", **ends)
    graph.group(
        "Adjusted", (right + 40, middle + 40), [[adjust], [steered], *see(graph, steered, loader, "Adjusted", 4.0)]
    )
