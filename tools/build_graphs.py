"""The graphs that build, extend, merge, fetch and import head vectors."""

from __future__ import annotations

from typing import Any

from .graph_parts import (
    GAP,
    POCKET_SAMPLER,
    SD15,
    SD_SAMPLER,
    Node,
    Output,
    built,
    voted,
)
from .litegraph import Graph
from .subgraph import Subgraph


def pocket_build(graph: Graph) -> None:
    """HRVs of the pocket model, seen as heat map and report."""
    note = graph.note(420)
    loader = graph.node("HRVPocketModel", wide=340, model="squares")
    _build(graph, note, loader, ("pocket", "pocket"), 32, 16, "pocket_mine", POCKET_SAMPLER, "Color, Fruit, Plant")


def sd15_build(graph: Graph) -> None:
    """HRVs of SD1.5 on the quick prompt set."""
    note = graph.note(420)
    loader = graph.node("CheckpointLoaderSimple", models=[SD15], wide=340, ckpt_name=SD15["name"])
    _build(graph, note, loader, ("paper34", "quick"), 512, 2, "sd15_paper34", SD_SAMPLER, "Color, Plants")


def _build(
    graph: Graph, note: Node, loader: Node, presets: tuple[str, str], side: int, batch: int, save_as: str,
    sampler: dict[str, Any], look_at: str,
) -> None:  # fmt: skip
    """Concepts and prompts into HRV Build; its vectors as heat map, its report as text."""
    concepts = graph.node("HRVConcepts", wide=340, preset=presets[0])
    prompts = graph.node("HRVPromptSet", wide=340, preset=presets[1])
    build = graph.node(
        "HRVBuild",
        wide=340,
        model=(loader, "MODEL"),
        clip=(loader, "CLIP"),
        concepts=(concepts, "concepts"),
        prompts=(prompts, "prompts"),
        width=side,
        height=side,
        batch_size=batch,
        draws=4,
        save_as=save_as,
        **sampler,
    )
    right, _ = graph.group("What is asked", (0, 0), [[note, loader], [concepts, prompts]])
    right, _ = graph.group("Heads vote", (right + GAP, 0), [[build]])
    graph.group("What came out", (right + GAP, 0), [built(graph, build, look_at, 440)])


def sd15_timesteps(graph: Graph) -> None:
    """Do heads keep their concepts over the timesteps? Votes counted step by step on SD1.5."""
    note = graph.note(420)
    loader = graph.node("CheckpointLoaderSimple", models=[SD15], wide=340, ckpt_name=SD15["name"])
    asked: dict[str, Any] = {"width": 512, "height": 512, "batch_size": 2, "draws": 4, "per_timestep": True}
    build = voted(graph, loader, ("paper34", "quick"), {**asked, "save_as": "sd15_timesteps", **SD_SAMPLER})
    votes = (build, "hrv")
    views: list[tuple[str, str, dict[str, Any]]] = [
        ("HRVTSNE", "Concepts over time", {}),
        ("HRVSimilarity", "Timesteps", {"of": "timesteps"}),
        ("HRVSimilarity", "Concepts", {"of": "concepts"}),
    ]
    seen = [graph.node(kind, title, wide=420, hrv=votes, **values) for kind, title, values in views]
    right, _ = graph.group("Heads vote, step by step", (0, 0), [[note, loader], [build]])
    graph.group("What came out", (right + GAP, 0), [seen[:2], seen[2:]])


def sd15_extended(graph: Graph) -> None:
    """A concept added to the list: does it get its own heads, and do the others keep theirs?"""
    note = graph.note(420)
    loader = graph.node("CheckpointLoaderSimple", models=[SD15], wide=340, ckpt_name=SD15["name"])
    prompts = graph.node("HRVPromptSet", wide=340, preset="quick")
    before = graph.node("HRVConcepts", "Concepts before", wide=340, preset="paper34")
    after = graph.node("HRVConcepts", "Concepts after", wide=340, preset="paper34_tableware")
    part = Subgraph("Two builds", graph.object_info, graph.name)
    builds = {
        name: _voting(part, save_as, title=f"HRV Build ({name})")
        for name, save_as in (("before", "sd15_before"), ("after", "sd15_tableware"))
    }
    part.group("Heads vote", (0, 0), [[node] for node in builds.values()])
    for name, node in builds.items():
        part.enter(f"concepts {name}", (node, "concepts"))
    _shared(part, list(builds.values()), "width height steps draws")
    for name, node in builds.items():
        part.leave(name, node, "hrv")
    links = {"concepts before": (before, "concepts"), "concepts after": (after, "concepts")}
    drawn = graph.place(part, 300, **links, **_ends(loader, prompts))
    moved = "How far the others moved"
    compared = graph.node("HRVCompare", moved, hrv=(drawn, "after"), other=(drawn, "before"))
    text = graph.node("PreviewAny", "Comparison", source=(compared, "text"))
    heat = graph.node("HRVHeatmap", "The new concept's heads", hrv=(drawn, "after"), concept="Tableware")
    right, _ = graph.group("What is asked", (0, 0), [[note, loader], [prompts, before, after]])
    right, _ = graph.group("Heads vote", (right + GAP, 0), [[drawn]])
    graph.group("What came out", (right + GAP, 0), [[compared, text], [heat]])


def pocket_parts(graph: Graph) -> None:
    """One build in two parts, added up, saved, and compared with the vectors that ship."""
    note = graph.note(420)
    loader = graph.node("HRVPocketModel", wide=340, model="squares")
    concepts = graph.node("HRVConcepts", wide=340, preset="pocket")
    prompts = graph.node("HRVPromptSet", wide=340, preset="pocket_quick")
    shipped = graph.node("HRVLoad", file="preset: pocket.safetensors")
    part = Subgraph("Two parts of the prompts", graph.object_info, graph.name)
    values: dict[str, Any] = {"count": 8, "width": 32, "height": 32, "batch_size": 8, "draws": 4, **POCKET_SAMPLER}
    parts = [
        part.node(
            "HRVBuild", f"HRV Build (images {start} to {start + 7})", wide=340, start=start, save_as=name, **values
        )
        for start, name in ((0, "pocket_part_1"), (8, "pocket_part_2"))
    ]
    part.group("Two parts of the prompts", (0, 0), [[node] for node in parts])
    part.enter("concepts", *((node, "concepts") for node in parts))
    _shared(part, parts, "steps draws")
    for place, node in enumerate(parts):
        part.leave(f"part {place + 1}", node, "hrv")
    drawn = graph.place(part, 300, concepts=(concepts, "concepts"), **_ends(loader, prompts))
    merged = graph.node("HRVMerge", hrv_a=(drawn, "part 1"), hrv_b=(drawn, "part 2"))
    saved = graph.node("HRVSave", hrv=(merged, "hrv"), filename="pocket_merged")
    compared = graph.node("HRVCompare", "16 images against 96", wide=300, hrv=(merged, "hrv"), other=(shipped, "hrv"))
    text = graph.node("PreviewAny", "Comparison", wide=300, source=(compared, "text"))
    right, _ = graph.group("What is asked", (0, 0), [[note, loader], [concepts, prompts]])
    right, _ = graph.group("Two parts, added up", (right + GAP, 0), [[drawn, merged, saved]])
    graph.group("Compared with 96 images", (right + GAP, 0), [[shipped, compared], [text]])


def published(graph: Graph) -> None:
    """The vectors that the paper's authors published, fetched and seen."""
    note = graph.note(420)
    fetched = graph.node("HRVFetch", wide=340, name="sd14", save_as="")
    asked = "Color, Animals, Material"
    heatmap = graph.node("HRVHeatmap", "Which heads carry a concept", wide=420, hrv=(fetched, "hrv"), concept=asked)
    top = graph.node("HRVTopHeads", wide=420, hrv=(fetched, "hrv"), concept="Color, Animals", count=10)
    text = graph.node("PreviewAny", "Top heads", wide=420, source=(top, "text"))
    right, _ = graph.group("Published vectors", (0, 0), [[note, fetched]])
    graph.group("What is in them", (right + GAP, 0), [[heatmap], [top, text]])


def imported(graph: Graph) -> None:
    """Vectors that somebody published as .npy, put into the form that the nodes read, seen and saved."""
    note = graph.note(420)
    loader = graph.node("CheckpointLoaderSimple", models=[SD15], wide=340, ckpt_name=SD15["name"])
    concepts = graph.node("HRVConcepts", wide=340, preset="paper34")
    read = graph.node(
        "HRVImport",
        wide=340,
        model=(loader, "MODEL"),
        concepts=(concepts, "concepts"),
        file="category_vectors_sd14.npy",
    )
    saved = graph.node("HRVSave", wide=340, hrv=(read, "hrv"), filename="sd15_paper34")
    heatmap = graph.node(
        "HRVHeatmap", "Which heads carry a concept", wide=440, hrv=(read, "hrv"), concept="Color, Plants"
    )
    right, _ = graph.group("Checkpoint and concepts", (0, 0), [[note, loader], [concepts]])
    right, _ = graph.group("Vectors from a file", (right + GAP, 0), [[read, saved]])
    graph.group("What is in them", (right + GAP, 0), [[heatmap]])


def _voting(graph: Graph, save_as: str, title: str | None = None, **more: Any) -> Node:
    return graph.node(
        "HRVBuild", title, wide=340, width=512, height=512, batch_size=2, draws=4, save_as=save_as, **SD_SAMPLER, **more
    )


def _ends(loader: Node, prompts: Node) -> dict[str, Output]:
    """What every build is given besides concepts."""
    return {"model": (loader, "MODEL"), "clip": (loader, "CLIP"), "prompts": (prompts, "prompts")}


def _shared(part: Subgraph, builds: list[Node], names: str) -> None:
    """Model, text encoder, prompts and these settings for all builds of a part."""
    for name in ("model", "clip", "prompts", *names.split()):
        part.enter(name, *((node, name) for node in builds))
