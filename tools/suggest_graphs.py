"""The graphs in which HRV Suggest, or a language model, chooses what HRV Concept Adjust does."""

from __future__ import annotations

from typing import Any

from .graph_parts import DRAWINGS_BY_EFFECT, MISREAD, MISREAD_SAMPLER, compare
from .litegraph import Graph


def pocket_suggest(graph: Graph) -> None:
    """One prompt into HRV Prompt and HRV Suggest, whose proposal steers."""
    _proposed(graph, "HRVSuggest", "What the words may mean")


def pocket_suggest_llm(graph: Graph) -> None:
    """The same by a language model on this computer."""
    _proposed(graph, "HRVSuggestLLM", "What the language model says", model="qwen3:8b")


def _proposed(graph: Graph, kind: str, title: str, **settings: Any) -> None:
    note = graph.note(420)
    loader = graph.node("HRVPocketModel", wide=340)
    hrv = graph.node("HRVLoad", file=DRAWINGS_BY_EFFECT)
    text = graph.node("PrimitiveString", "Prompt", wide=340, value=MISREAD)
    asked = (text, "STRING")
    suggest = graph.node(kind, title, hrv=(hrv, "hrv"), clip=(loader, "CLIP"), more={"prompt": asked, **settings})
    report = graph.node("PreviewAny", "Report", source=(suggest, "report"))
    proposed = {name: (suggest, name) for name in ("word", "desired", "undesired")}
    adjusted = ("As proposed", "HRVConceptAdjust", proposed)
    compare(
        graph, note, loader, hrv, asked, None, 8, [adjusted], MISREAD_SAMPLER, enlarge=4.0, below=[text],
        chosen=[suggest, report], wide=340,
    )  # fmt: skip
