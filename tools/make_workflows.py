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
    GAP,
    MEANT,
    MISREAD,
    MISREAD_SAMPLER,
    POCKET_SAMPLER,
    SD15,
    SD_SAMPLER,
    SDXL,
    Branch,
    Node,
    Output,
    built,
    compare,
    negative_prompt,
    voted,
)
from .guidance_graphs import GUIDANCE_GRAPHS
from .inspection_graphs import (
    over_time,
    pocket_measure,
    pocket_weaken,
    sd15_weaken,
    sdxl_weaken,
    see_inside,
    where_words_look,
)
from .litegraph import Graph
from .metric_graphs import METRIC_GRAPHS
from .prompt_weight_graphs import PROMPT_WEIGHT_GRAPHS
from .reference_graphs import REFERENCE_GRAPHS
from .server import ComfyServer
from .subgraph import Subgraph
from .suggest_graphs import pocket_suggest, pocket_suggest_llm
from .transformer_graphs import qwen_effect, qwen_fix


def pocket_build(graph: Graph) -> None:
    """HRVs of the pocket model, seen as heat map and report."""
    note = graph.note(420)
    loader = graph.node("HRVPocketModel", wide=340, model="squares")
    _build(graph, note, loader, ("pocket", "pocket"), 32, 16, "pocket_mine", POCKET_SAMPLER, "Color, Fruit, Plant")


def pocket_fix(graph: Graph) -> None:
    """Plain against adjusted on the pocket model."""
    note = graph.note(420)
    loader = graph.node("HRVPocketModel", wide=340)
    hrv = graph.node("HRVLoad", file=DRAWINGS_BY_EFFECT)
    compare(graph, note, loader, hrv, MISREAD, None, 8, _steered(MEANT), MISREAD_SAMPLER, enlarge=4.0)


def sd15_fix(graph: Graph) -> None:
    """ "a vase in lavender color" on SD1.5."""
    note = graph.note(420)
    loader = graph.node("CheckpointLoaderSimple", models=[SD15], wide=340, ckpt_name=SD15["name"])
    hrv = graph.node("HRVLoad", file="sd15_paper34.safetensors")
    asked = {"word": "lavender", "desired": "Color", "undesired": "Plants"}
    compare(graph, note, loader, hrv, "a vase in lavender color", 512, 4, _steered(asked), SD_SAMPLER)


def sdxl_fix(graph: Graph) -> None:
    """ "A rose-colored vase" on SDXL, clamped."""
    note = graph.note(420)
    loader = graph.node("CheckpointLoaderSimple", models=[SDXL], wide=340, ckpt_name=SDXL["name"])
    hrv = graph.node("HRVLoad", file="sdxl_paper34.safetensors")
    asked = {"word": "rose-colored", "desired": "Color", "undesired": "Plants", "clamp": 9.0}
    compare(graph, note, loader, hrv, "A rose-colored vase", 1024, 2, _steered(asked), SD_SAMPLER)


def sd15_build(graph: Graph) -> None:
    """HRVs of SD1.5 on the quick prompt set."""
    note = graph.note(420)
    loader = graph.node("CheckpointLoaderSimple", models=[SD15], wide=340, ckpt_name=SD15["name"])
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


def pocket_plms(graph: Graph) -> None:
    """The sampler of the paper on the pocket model."""
    note = graph.note(420)
    loader = graph.node("HRVPocketModel", wide=340)
    text = "a red car in the desert"
    prompt = graph.node("HRVPrompt", "HRV Prompt (positive)", wide=320, clip=(loader, "CLIP"), text=text)
    negative = negative_prompt(graph, loader)
    latent = graph.node("RepeatLatentBatch", "Images", wide=320, samples=(loader, "LATENT"), amount=4)
    right, _ = graph.group("Model and prompt", (0, 0), [[note, loader], [prompt, negative, latent]])
    sampler = graph.node("HRVPLMSSampler")
    sigmas = graph.node("BasicScheduler", model=(loader, "MODEL"), scheduler="ddim_uniform", steps=20, denoise=1.0)
    drawn = graph.node(
        "SamplerCustom", model=(loader, "MODEL"), positive=(prompt, "CONDITIONING"),
        negative=(negative, "CONDITIONING"), sampler=(sampler, "SAMPLER"), sigmas=(sigmas, "SIGMAS"),
        latent_image=(latent, "LATENT"), noise_seed=1, cfg=3.0,
    )  # fmt: skip
    right, _ = graph.group("The paper's sampler", (right + GAP, 0), [[sampler, sigmas, drawn]])
    decoded = graph.node("VAEDecode", samples=(drawn, "output"), vae=(loader, "VAE"))
    scaled: dict[str, Any] = {"upscale_method": "nearest-exact", "scale_by": 4.0}
    large = graph.node("ImageScaleBy", image=(decoded, "IMAGE"), **scaled)
    shown = graph.node("PreviewImage", "Drawn", wide=400, images=(large, "IMAGE"))
    graph.group("What it draws", (right + GAP, 0), [[decoded, large, shown]])


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


GRAPHS: dict[str, Callable[[Graph], None]] = {  # by the titles that people read
    "01 Fix a misread word": fix_word,
    "02 Steer a word, before and after": pocket_fix,
    "03 SD1.5 - fix a misread word": sd15_fix,
    "04 SDXL - fix a misread word": sdxl_fix,
    "05 Let HRV Suggest choose the meaning": pocket_suggest,
    "06 Steer a prompt of another encoder": pocket_other_encoder,
    **PROMPT_WEIGHT_GRAPHS,
    "11 Qwen-Image - fix a misread word": qwen_fix,
    **REFERENCE_GRAPHS,
    **EDITING_GRAPHS,
    **GUIDANCE_GRAPHS,
    "22 Build head vectors by votes": pocket_build,
    "23 Build head vectors by effect": pocket_effect,
    "24 SD1.5 - build head vectors by votes": sd15_build,
    "25 SD1.5 - build head vectors by effect": sd15_effect,
    "26 Qwen-Image - build head vectors for a DiT": qwen_effect,
    "27 Build in parts and merge": pocket_parts,
    "28 SD1.5 - add a concept of your own": sd15_extended,
    "29 Fetch the paper's vectors": published,
    "30 See inside head vectors": see_inside,
    "31 See where words look": where_words_look,
    "32 See heads over time": over_time,
    "33 SD1.5 - see heads over time": sd15_timesteps,
    "34 Weaken the heads of a concept": pocket_weaken,
    "35 Watch a concept vanish, measured": pocket_measure,
    "36 SD1.5 - watch a concept vanish": sd15_weaken,
    "37 SDXL - watch a concept vanish": sdxl_weaken,
    **METRIC_GRAPHS,
    "40 Ask a language model for the meaning": pocket_suggest_llm,
    "41 Draw with the paper's sampler": pocket_plms,
    "42 SD1.5 - import published vectors": imported,
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
