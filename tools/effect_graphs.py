"""The graphs that find heads by effect (31, 36)."""

from __future__ import annotations

from .graph_parts import MEANT, MISREAD, MISREAD_SAMPLER, POCKET_SAMPLER, SD15, compare
from .litegraph import Graph


def pocket_effect(graph: Graph) -> None:
    """31: the pocket model's heads by effect, and a misread word adjusted with them."""
    note = graph.note(560)
    loader = graph.node("HRVPocketModel")
    meanings = f"{MEANT['desired']}, {MEANT['undesired']}"
    concepts = graph.node("HRVConcepts", wide=380, preset="drawings", keep=meanings)
    build = graph.node(
        "HRVBuildByEffect", wide=380, model=(loader, "MODEL"), clip=(loader, "CLIP"), concepts=(concepts, "concepts"),
        templates="drawings", samples_per_word=1, width=64, height=64, batch_size=8, save_as="pocket_effect",
        **POCKET_SAMPLER | {"steps": 10},
    )  # fmt: skip
    heatmap = graph.node("HRVHeatmap", wide=420, hrv=(build, "hrv"), concept=meanings)
    preview = graph.node("PreviewImage", "Heat map", wide=420, images=(heatmap, "IMAGE"))
    text = graph.node("PreviewAny", "Report", wide=420, source=(build, "report"))
    branches = [("The word adjusted", "HRVConceptAdjust", MEANT)]
    more = [[heatmap, preview, text]]
    compare(
        graph, note, loader, build, MISREAD, None, 8, branches, MISREAD_SAMPLER, enlarge=4.0,
        below=[concepts], more=more,
    )  # fmt: skip


def sd15_effect(graph: Graph) -> None:
    """36: heads of SD1.x by effect, saved for HRV Load."""
    note = graph.note(520)
    loader = graph.node("CheckpointLoaderSimple", models=[SD15], wide=380, ckpt_name=SD15["name"])
    concepts = graph.node("HRVConcepts", wide=380, preset="paper34")
    build = graph.node(
        "HRVBuildByEffect", wide=380, model=(loader, "MODEL"), clip=(loader, "CLIP"), concepts=(concepts, "concepts"),
        templates="paper34", samples_per_word=2, width=512, height=512, save_as="sd15_effect", seed=1,
    )  # fmt: skip
    heatmap = graph.node("HRVHeatmap", wide=420, hrv=(build, "hrv"), concept="Color, Plants")
    preview = graph.node("PreviewImage", "Heat map", wide=420, images=(heatmap, "IMAGE"))
    text = graph.node("PreviewAny", "Report", wide=420, source=(build, "report"))
    right, _ = graph.group("What is asked", (0, 0), [[note], [loader, concepts]])
    right, _ = graph.group("Heads are measured", (right + 40, 0), [[build]])
    graph.group("What came out", (right + 40, 0), [[heatmap, text], [preview]])
