"""Write workflows/*.json (UI graphs, LiteGraph 0.4) from a real server's node schemas.

Run after a node's inputs changed: `python3 tools/bootstrap.py -- python -m tools.make_workflows`. The server gives
input order, widget defaults and types, so the files always fit the schemas they were made from.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .editing_graphs import EDITING_GRAPHS
from .effect_graphs import pocket_effect, sd15_effect
from .encoder_graphs import pocket_other_encoder
from .fix_word_graphs import fix_word
from .graph_parts import (
    DRAWINGS_BY_EFFECT,
    MEANT,
    MISREAD,
    MISREAD_SAMPLER,
    POCKET_SAMPLER,
    SD15,
    SD_SAMPLER,
    SDXL,
    Branch,
    Node,
    compare,
)
from .guidance_graphs import GUIDANCE_GRAPHS
from .inspection_graphs import pocket_weaken, sd15_weaken, sdxl_weaken, see_inside
from .litegraph import Graph
from .metric_graphs import METRIC_GRAPHS
from .prompt_weight_graphs import PROMPT_WEIGHT_GRAPHS
from .reference_graphs import REFERENCE_GRAPHS
from .server import ComfyServer
from .suggest_graphs import pocket_suggest
from .transformer_graphs import qwen_effect, qwen_fix


def pocket_build(graph: Graph) -> None:
    """01: HRVs of the pocket model, seen as heat map and report."""
    note = graph.note(420)
    loader = graph.node("HRVPocketModel", model="squares")
    _build(graph, note, loader, ("pocket", "pocket"), 32, 16, "pocket_mine", POCKET_SAMPLER, "Color, Fruit, Plant")


def pocket_fix(graph: Graph) -> None:
    """02: plain against adjusted on the pocket model."""
    note = graph.note(560)
    loader = graph.node("HRVPocketModel")
    hrv = graph.node("HRVLoad", file=DRAWINGS_BY_EFFECT)
    compare(graph, note, loader, hrv, MISREAD, None, 8, _steered(MEANT), MISREAD_SAMPLER, enlarge=4.0)


def sd15_fix(graph: Graph) -> None:
    """03: "a vase in lavender color" on SD1.5."""
    note = graph.note(600)
    loader = graph.node("CheckpointLoaderSimple", models=[SD15], wide=380, ckpt_name=SD15["name"])
    hrv = graph.node("HRVLoad", file="sd15_paper34.safetensors")
    asked = {"word": "lavender", "desired": "Color", "undesired": "Plants"}
    compare(graph, note, loader, hrv, "a vase in lavender color", 512, 4, _steered(asked), SD_SAMPLER)


def sdxl_fix(graph: Graph) -> None:
    """04: "A rose-colored vase" on SDXL, clamped."""
    note = graph.note(560)
    loader = graph.node("CheckpointLoaderSimple", models=[SDXL], wide=380, ckpt_name=SDXL["name"])
    hrv = graph.node("HRVLoad", file="sdxl_paper34.safetensors")
    asked = {"word": "rose-colored", "desired": "Color", "undesired": "Plants", "clamp": 9.0}
    compare(graph, note, loader, hrv, "A rose-colored vase", 1024, 2, _steered(asked), SD_SAMPLER)


def sd15_build(graph: Graph) -> None:
    """05: HRVs of SD1.5 on the quick prompt set."""
    note = graph.note(520)
    loader = graph.node("CheckpointLoaderSimple", models=[SD15], wide=380, ckpt_name=SD15["name"])
    _build(graph, note, loader, ("paper34", "quick"), 512, 2, "sd15_paper34", SD_SAMPLER, "Color, Plants")


def _steered(asked: dict[str, Any]) -> list[Branch]:
    """The word adjusted, and strengthened by the desired concept alone."""
    alone = {name: value for name, value in asked.items() if name in ("word", "clamp")} | {"concept": asked["desired"]}
    return [
        ("The word adjusted", "HRVConceptAdjust", asked),
        ("The word strengthened", "HRVConceptStrengthen", alone),
    ]


def _build(
    graph: Graph, note: Node, loader: Node, presets: tuple[str, str], side: int, batch: int, save_as: str,
    sampler: dict[str, Any], look_at: str,
) -> None:  # fmt: skip
    """Concepts and prompts into HRV Build; its vectors as heat map, its report as text."""
    concepts = graph.node("HRVConcepts", wide=380, preset=presets[0])
    prompts = graph.node("HRVPromptSet", wide=380, preset=presets[1])
    build = graph.node(
        "HRVBuild",
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
    heatmap = graph.node("HRVHeatmap", wide=420, hrv=(build, "hrv"), concept=look_at)
    preview = graph.node("PreviewImage", "Heat map", wide=420, images=(heatmap, "IMAGE"))
    text = graph.node("PreviewAny", "Report", wide=420, source=(build, "report"))
    right, _ = graph.group("What is asked", (0, 0), [[note], [loader, concepts, prompts]])
    right, _ = graph.group("Heads vote", (right + 40, 0), [[build]])
    graph.group("What came out", (right + 40, 0), [[heatmap, text], [preview]])


def sd15_timesteps(graph: Graph) -> None:
    """26: do heads keep their concepts over the timesteps? Votes counted step by step on SD1.5."""
    note = graph.note(520)
    loader = graph.node("CheckpointLoaderSimple", models=[SD15], wide=380, ckpt_name=SD15["name"])
    concepts = graph.node("HRVConcepts", wide=380, preset="paper34")
    prompts = graph.node("HRVPromptSet", wide=380, preset="quick")
    build = _voting(graph, loader, concepts, prompts, "sd15_timesteps", per_timestep=True)
    built = (build, "hrv")
    views: list[tuple[str, str, dict[str, Any]]] = [
        ("HRVTSNE", "Concepts over time", {}),
        ("HRVSimilarity", "Timesteps", {"of": "timesteps"}),
        ("HRVSimilarity", "Concepts", {"of": "concepts"}),
    ]
    columns = []
    for kind, title, values in views:
        name = f"Cosines of {values['of']}" if values else None
        view = graph.node(kind, name, wide=420, hrv=built, **values)
        columns.append([view, graph.node("PreviewImage", title, wide=420, images=(view, "IMAGE"))])
    right, _ = graph.group("What is asked", (0, 0), [[note], [loader, concepts, prompts]])
    right, _ = graph.group("Heads vote, step by step", (right + 40, 0), [[build]])
    graph.group("What came out", (right + 40, 0), columns)


def sd15_extended(graph: Graph) -> None:
    """27: a concept added to the list: does it get its own heads, and do the others keep theirs?"""
    note = graph.note(520)
    loader = graph.node("CheckpointLoaderSimple", models=[SD15], wide=380, ckpt_name=SD15["name"])
    prompts = graph.node("HRVPromptSet", wide=380, preset="quick")
    before = graph.node("HRVConcepts", "Concepts before", wide=380, preset="paper34")
    after = graph.node("HRVConcepts", "Concepts after", wide=380, preset="paper34_tableware")
    old = _voting(graph, loader, before, prompts, "sd15_before", title="HRV Build (before)")
    new = _voting(graph, loader, after, prompts, "sd15_tableware", title="HRV Build (after)")
    compared = graph.node("HRVCompare", wide=420, hrv=(new, "hrv"), other=(old, "hrv"))
    preview = graph.node("PreviewImage", "How far the others moved", wide=420, images=(compared, "IMAGE"))
    text = graph.node("PreviewAny", "Comparison", wide=420, source=(compared, "text"))
    heat = graph.node("HRVHeatmap", wide=420, hrv=(new, "hrv"), concept="Tableware")
    seen = graph.node("PreviewImage", "The new concept's heads", wide=420, images=(heat, "IMAGE"))
    right, _ = graph.group("What is asked", (0, 0), [[note], [loader, prompts], [before, after]])
    right, _ = graph.group("Heads vote", (right + 40, 0), [[old], [new]])
    graph.group("What came out", (right + 40, 0), [[compared, preview, text], [heat, seen]])


def pocket_parts(graph: Graph) -> None:
    """28: one build in two parts, added up, saved, and compared with the vectors that ship."""
    note = graph.note(520)
    loader = graph.node("HRVPocketModel", model="squares")
    concepts = graph.node("HRVConcepts", wide=380, preset="pocket")
    prompts = graph.node("HRVPromptSet", wide=380, preset="pocket_quick")
    shipped = graph.node("HRVLoad", file="preset: pocket.safetensors")
    ends: dict[str, Any] = {"model": (loader, "MODEL"), "clip": (loader, "CLIP"), "concepts": (concepts, "concepts")}
    ends |= {"prompts": (prompts, "prompts"), "width": 32, "height": 32, "batch_size": 8, "draws": 4, **POCKET_SAMPLER}
    parts = [
        graph.node("HRVBuild", f"HRV Build (images {start} to {start + 7})", start=start, count=8, save_as=name, **ends)
        for start, name in ((0, "pocket_part_1"), (8, "pocket_part_2"))
    ]
    merged = graph.node("HRVMerge", hrv_a=(parts[0], "hrv"), hrv_b=(parts[1], "hrv"))
    saved = graph.node("HRVSave", hrv=(merged, "hrv"), filename="pocket_merged")
    compared = graph.node("HRVCompare", wide=420, hrv=(merged, "hrv"), other=(shipped, "hrv"))
    preview = graph.node("PreviewImage", "16 pictures against 96", wide=420, images=(compared, "IMAGE"))
    text = graph.node("PreviewAny", "Comparison", wide=420, source=(compared, "text"))
    right, _ = graph.group("What is asked", (0, 0), [[note], [loader, concepts, prompts, shipped]])
    right, _ = graph.group("Two parts of the prompts", (right + 40, 0), [parts])
    graph.group("Added up", (right + 40, 0), [[merged, saved], [compared, preview], [text]])


def published(graph: Graph) -> None:
    """29: the vectors that the paper's authors published, fetched and seen."""
    note = graph.note(520)
    fetched = graph.node("HRVFetch", wide=380, name="sd14", save_as="")
    heatmap = graph.node("HRVHeatmap", wide=420, hrv=(fetched, "hrv"), concept="Color, Animals, Material")
    preview = graph.node("PreviewImage", "Which heads carry a concept", wide=420, images=(heatmap, "IMAGE"))
    top = graph.node("HRVTopHeads", wide=420, hrv=(fetched, "hrv"), concept="Color, Animals", count=10)
    text = graph.node("PreviewAny", "Top heads", wide=420, source=(top, "text"))
    right, _ = graph.group("Published vectors", (0, 0), [[note], [fetched]])
    graph.group("What is in them", (right + 40, 0), [[heatmap, preview], [top, text]])


def _voting(
    graph: Graph, loader: Node, concepts: Node, prompts: Node, save_as: str, title: str | None = None, **more: Any
) -> Node:
    return graph.node(
        "HRVBuild", title, model=(loader, "MODEL"), clip=(loader, "CLIP"), concepts=(concepts, "concepts"),
        prompts=(prompts, "prompts"), width=512, height=512, batch_size=2, draws=4, save_as=save_as,
        **SD_SAMPLER, **more,
    )  # fmt: skip


GRAPHS: dict[str, Callable[[Graph], None]] = {
    "01_pocket_build_hrv": pocket_build,
    "02_pocket_fix_misread_word": pocket_fix,
    "03_sd15_fix_misread_word": sd15_fix,
    "04_sdxl_fix_misread_word": sdxl_fix,
    "05_sd15_build_hrv": sd15_build,
    "06_pocket_ordered_weakening": pocket_weaken,
    "07_sd15_ordered_weakening": sd15_weaken,
    "08_sdxl_ordered_weakening": sdxl_weaken,
    "09_see_inside_an_hrv": see_inside,
    **EDITING_GRAPHS,
    **GUIDANCE_GRAPHS,
    **METRIC_GRAPHS,
    "25_pocket_suggest_and_adjust": pocket_suggest,
    "26_sd15_timesteps": sd15_timesteps,
    "27_sd15_extended_concepts": sd15_extended,
    "28_pocket_build_in_parts": pocket_parts,
    "29_published_vectors": published,
    "30_pocket_other_encoder": pocket_other_encoder,
    "31_pocket_build_by_effect": pocket_effect,
    **PROMPT_WEIGHT_GRAPHS,
    "36_sd15_build_by_effect": sd15_effect,
    **REFERENCE_GRAPHS,
    "38_qwen_image_build_by_effect": qwen_effect,
    "39_qwen_image_fix_misread_word": qwen_fix,
    "40_fix_a_misread_word": fix_word,
}


def main() -> None:
    """Write all graphs."""
    with ComfyServer() as server:
        object_info = server.client.object_info()
    for name, draw in GRAPHS.items():
        graph = Graph(name, object_info)
        draw(graph)
        graph.write()


if __name__ == "__main__":
    main()
