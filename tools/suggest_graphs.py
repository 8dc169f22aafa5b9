"""The graph that lets HRV Suggest choose what HRV Concept Adjust does (25)."""

from __future__ import annotations

from .graph_parts import DRAWINGS_BY_EFFECT, MISREAD, MISREAD_SAMPLER, compare
from .litegraph import Graph


def pocket_suggest(graph: Graph) -> None:
    """25: one prompt into HRV Prompt and HRV Suggest, whose proposal steers."""
    note = graph.note(640)
    loader = graph.node("HRVPocketModel")
    hrv = graph.node("HRVLoad", file=DRAWINGS_BY_EFFECT)
    text = graph.node("PrimitiveString", "Prompt", value=MISREAD)
    suggest = graph.node(
        "HRVSuggest", wide=360, hrv=(hrv, "hrv"), clip=(loader, "CLIP"), more={"prompt": (text, "STRING")}
    )
    preview = graph.node("PreviewImage", "What the words may mean", wide=420, images=(suggest, "IMAGE"))
    report = graph.node("PreviewAny", "Report", wide=420, source=(suggest, "report"))
    proposed = {name: (suggest, name) for name in ("word", "desired", "undesired")}
    adjusted = ("As proposed", "HRVConceptAdjust", proposed)
    compare(
        graph, note, loader, hrv, (text, "STRING"), None, 8, [adjusted], MISREAD_SAMPLER, enlarge=4.0, below=[text],
        more=[[suggest], [preview, report]],
    )  # fmt: skip
