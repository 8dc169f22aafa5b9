"""The graphs that measure: scores of the same seeds under two methods, compared by a paired bootstrap (23, 24)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .editing_graphs import P2P, edits, with_hrv
from .graph_parts import CLIP, POCKET_SAMPLER, SD15, SD_SAMPLER, Branch, Node, compare
from .litegraph import Graph

CAPTIONER, DINO, SEGMENTER = "blip2-opt-2.7b", "dinov2-base", "clipseg-rd64-refined"  # folders in models/hrv_eval
Output = tuple[Node, str]


def pocket_metrics(graph: Graph) -> None:
    """23: is the adjusted word read right more often? the flower not meant, and the lower of colour and shape."""
    note = graph.note(620)
    loader = graph.node("HRVPocketModel", model="squares")
    hrv = graph.node("HRVLoad", file="preset: pocket.safetensors")
    asked = {"word": "rose", "desired": "Color", "undesired": "Plant", "clamp": 4.0}
    branches: list[Branch] = [("The word adjusted", "HRVConceptAdjust", asked)]
    compare(graph, note, loader, hrv, "a rose circle", 32, 24, branches, POCKET_SAMPLER, enlarge=8.0)
    plain, adjusted = ((node, "IMAGE") for node in graph.nodes if node["type"] == "VAEDecode")
    scorer = graph.node("HRVPocketScorer", wide=320)
    worst = graph.node("HRVMinObjectScorer", wide=320, scorer=(scorer, "scorer"))
    scored = [
        _compared(graph, (plain, adjusted), (node, "scorer"), words, title, ("plain", "adjusted"))
        for node, words, title in ((scorer, "rose plant", "The flower"), (worst, "rose and circle", "Both at once"))
    ]
    _place(graph, [[scorer, worst]], scored)


def sd15_edit_metrics(graph: Graph) -> None:
    """24: the edit of graph 11 over several seeds, scored by CLIP, captions and BG-DINO."""
    note = graph.note(760)
    loader = graph.node("CheckpointLoaderSimple", models=[SD15], wide=380, ckpt_name=SD15["name"])
    hrv = graph.node("HRVLoad", file="sd15_paper34.safetensors")
    branches: list[Branch] = [P2P, with_hrv("Color")]
    texts = ("a blue car", "a red car")
    edits(graph, note, loader, hrv, texts, 512, 4, branches, SD_SAMPLER | {"steps": 50, "seed": 10})
    pairs = [node for node in graph.nodes if node["type"] == "VAEDecode"]
    kept = [
        graph.node(
            "HRVBackgroundSimilarity", title, wide=340, source=(node, "IMAGE"), model=DINO, words="car",
            segmenter=SEGMENTER,
        )
        for node, title in zip(pairs, ("Background (P2P)", "Background (P2P with HRV)"), strict=True)
    ]  # fmt: skip
    shown = [
        graph.node("PreviewImage", f"Compared ({title})", wide=340, images=(node, "background"))
        for node, title in zip(kept, ("P2P", "P2P with HRV"), strict=True)
    ]
    clip = graph.node("HRVCLIPScorer", models=[CLIP], wide=340, file=CLIP["name"])
    captions = graph.node("HRVCaptionScorer", wide=340, clip=(clip, "scorer"), captioner=CAPTIONER)
    names = ("P2P", "P2P with HRV")
    edited = ((kept[0], "edited"), (kept[1], "edited"))
    scored = [
        _compared(graph, edited, (node, "scorer"), texts[1], title, names)
        for node, title in ((clip, "The target prompt"), (captions, "Captions"))
    ]
    scored.append(_figure(graph, [(node, "table") for node in kept], "The background", names))
    _place(graph, [[*kept, clip], [*shown, captions]], scored)


def _compared(
    graph: Graph, images: tuple[Output, Output], scorer: Output, words: str, title: str, names: tuple[str, str]
) -> list[list[Node]]:  # fmt: skip
    """Both sets of images scored, compared and shown: columns of nodes."""
    scores = [
        graph.node("HRVScoreImages", f"{title}: {name}", wide=320, images=source, scorer=scorer, word=words)
        for source, name in zip(images, names, strict=True)
    ]
    return [scores, *_figure(graph, [(node, "table") for node in scores], title, names)]


def _figure(graph: Graph, tables: list[Output], title: str, names: tuple[str, str]) -> list[list[Node]]:
    values: dict[str, Any] = {"name": names[0], "title": title}
    found = graph.node(
        "HRVCompareScores", title, wide=340, table=tables[0], other=tables[1], other_name=names[1], more=values
    )
    preview = graph.node("PreviewImage", f"{title}: figure", wide=620, images=(found, "IMAGE"))
    text = graph.node("PreviewAny", f"{title}: numbers", wide=620, source=(found, "text"))
    return [[found], [preview, text]]


def _place(graph: Graph, first: list[list[Node]], scored: list[list[list[Node]]]) -> None:
    """The scorers to the right of everything drawn so far, and a group for each comparison further right."""
    right = max(group["bounding"][0] + group["bounding"][2] for group in graph.groups)
    right, _ = graph.group("Scorers", (right + 40, 0), first)
    below = 0
    for columns in scored:
        title = next(node["title"] for column in columns for node in column if node["type"] == "HRVCompareScores")
        _, below = graph.group(title, (right + 40, below), columns)
        below += 40


METRIC_GRAPHS: dict[str, Callable[[Graph], None]] = {
    "23_pocket_metrics": pocket_metrics,
    "24_sd15_edit_metrics": sd15_edit_metrics,
}
