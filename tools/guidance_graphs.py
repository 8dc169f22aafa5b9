"""The graphs of prompts with several objects: Attend-and-Excite, SynGen and Structured Diffusion."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .graph_parts import (
    GAP,
    POCKET_SAMPLER,
    SD15,
    SD_SAMPLER,
    SDXL,
    Branch,
    Node,
    Output,
    Settings,
    Way,
    decode,
    draw,
    negative_prompt,
    settings,
)
from .litegraph import Graph
from .subgraph import Subgraph

PLAIN: Branch = ("Plain", "", {})
STRUCTURED: Branch = ("Structured Diffusion", "HRVStructuredDiffusion", {})
SYNGEN: Branch = ("SynGen", "HRVSynGen", {})
EXCITED: Branch = ("Attend-and-Excite", "HRVAttendExcite", {})
WITH_LOSSES = ("HRVSynGen", "HRVAttendExcite")


def with_hrv(concepts: str, **more: Any) -> Branch:
    """Attend-and-Excite that reads all heads, weighted by relevance."""
    return "Attend-and-Excite with HRVs", "HRVAttendExcite", {"preset": "hrv", "concepts": concepts, **more}


def pocket_excite(graph: Graph) -> None:
    """Two coloured things on the pocket model under every method."""
    loader = graph.node("HRVPocketModel", wide=340, model="squares")
    hrv = graph.node("HRVLoad", wide=340, file="preset: pocket.safetensors")
    moved: Settings = {"rivals": "words of the prompt", "thresholds": "", "steps_to_alter": 10, "step_size": 100.0}
    branches = [
        PLAIN,
        STRUCTURED,
        ("SynGen", "HRVSynGen", {"steps_to_alter": 20}),
        ("Attend-and-Excite", "HRVAttendExcite", {**moved, "sharpness": 3.0}),
        with_hrv("Plant, Fruit", **moved | {"step_size": 20.0}, sharpness=10.0),
    ]
    _all(graph, loader, hrv, "a purple tulip and a blue banana", 32, 6, branches, POCKET_SAMPLER, enlarge=8.0)


def sd15_excite(graph: Graph) -> None:
    """A cat and a frog on SD1.5, excited through the heads of Animals."""
    loader, hrv = _checkpoint(graph, SD15, "sd15_paper34")
    _two(graph, loader, hrv, 512, with_hrv("Animals, Animals"), SD_SAMPLER | {"steps": 50})


def sd15_side_by_side(graph: Graph) -> None:
    """Every method on a prompt of the paper's second type."""
    loader, hrv = _checkpoint(graph, SD15, "sd15_paper34")
    branches = [PLAIN, STRUCTURED, SYNGEN, EXCITED, with_hrv("Animals, Animals")]
    text = "a green penguin and a purple bear"
    _all(graph, loader, hrv, text, 512, 1, branches, SD_SAMPLER | {"steps": 50})


def sdxl_excite(graph: Graph) -> None:
    """SDXL, saving memory."""
    loader, hrv = _checkpoint(graph, SDXL, "sdxl_paper34")
    saving: Settings = {"steps_to_alter": 15, "thresholds": "0:.05, 6:.5, 12:.8", "save_memory": True}
    _two(graph, loader, hrv, 1024, with_hrv("Animals, Animals", **saving), SD_SAMPLER)


def _checkpoint(graph: Graph, model: dict[str, str], vectors: str) -> tuple[Node, Node]:
    loader = graph.node("CheckpointLoaderSimple", models=[model], wide=340, ckpt_name=model["name"])
    return loader, graph.node("HRVLoad", wide=340, file=f"{vectors}.safetensors")


def _asked(
    graph: Graph, loader: Node, hrv: Node, text: str, side: int, batch: int
) -> tuple[Node, dict[str, Output], int]:
    """The prompt, what every method is given, and the edge of their group."""
    note = graph.note(420)
    prompt = graph.node("HRVPrompt", "HRV Prompt (positive)", wide=320, clip=(loader, "CLIP"), text=text)
    negative = negative_prompt(graph, loader)
    latent = graph.node("EmptyLatentImage", wide=320, width=side, height=side, batch_size=batch)
    right, _ = graph.group("Model and prompt", (0, 0), [[note, loader, hrv], [prompt, negative, latent]])
    ends = {"negative": (negative, "CONDITIONING"), "latent": (latent, "LATENT"), "vae": (loader, "VAE")}
    return prompt, ends, right


def _two(graph: Graph, loader: Node, hrv: Node, side: int, branch: Branch, sampler: Settings) -> None:
    """A cat and a frog, plain and excited, from one noise, and what the losses did."""
    prompt, ends, right = _asked(graph, loader, hrv, "a cat and a frog", side, 1)
    title, kind, asked = branch
    model, positive = (loader, "MODEL"), (prompt, "CONDITIONING")
    guide = graph.node(kind, title, wide=320, model=model, positive=positive, hrv=(hrv, "hrv"), **asked)
    right, _ = graph.group("Every object, excited", (right + GAP, 0), [[guide]])
    ways = [Way("Plain", model, positive), Way(title, (guide, "MODEL"), (guide, "positive"))]
    drawn, shown = draw(graph, ways, ends, sampler, latents=(title,), wide=340)
    losses = graph.node("HRVGuidanceLosses", wide=280, model=(guide, "MODEL"), samples=(drawn, f"{title} (latent)"))
    said = graph.node("PreviewAny", f"Losses ({title.lower()})", wide=280, source=(losses, "text"))
    graph.group("The same noise", (right + GAP, 0), [[drawn, losses, said], shown])


def _all(
    graph: Graph, loader: Node, hrv: Node, text: str, side: int, batch: int, branches: list[Branch], sampler: Settings,
    enlarge: float | None = None,
) -> None:  # fmt: skip
    """One prompt and its noises under every method (title, guiding node or none, its settings), in one node."""
    prompt, ends, right = _asked(graph, loader, hrv, text, side, batch)
    part = Subgraph("Every method", graph.object_info, graph.name)
    columns, samplers, decoded, guides, said = list[list[Node]](), list[Node](), list[list[Node]](), {}, {}
    for title, kind, asked in branches:
        start: Settings = {}
        if kind:
            guides[title] = guide = part.node(kind, title, wide=340, **asked)
            start = {"model": (guide, "MODEL"), "positive": (guide, "positive")}
        sampler_node = part.node("KSampler", f"KSampler ({title.lower()})", **start, **sampler)
        samplers.append(sampler_node)
        decoded.append(decode(part, sampler_node, enlarge))
        columns += [[guide, sampler_node, *decoded[-1]] if kind else [sampler_node, *decoded[-1]]]
        if kind in WITH_LOSSES:
            said[title] = part.node("HRVGuidanceLosses", model=start["model"], samples=(sampler_node, "LATENT"))
            columns[-1].append(said[title])
    part.group("One noise, every method", (0, 0), columns)
    plain = samplers[[title for title, _, _ in branches].index("Plain")]
    part.enter("model", *((node, "model") for node in [plain, *guides.values()]))
    part.enter("positive", *((node, "positive") for node in [plain, *guides.values()]))
    part.enter("clip", *((node, "clip") for node in guides.values() if node["type"] == "HRVStructuredDiffusion"))
    part.enter("negative", *((node, "negative") for node in samplers))
    part.enter("latent", *((node, "latent_image") for node in samplers))
    part.enter("vae", *((nodes[0], "vae") for nodes in decoded))
    through = [guides[title] for title, _, asked in branches if "concepts" in asked]
    part.enter("hrv", *((node, "hrv") for node in through))
    part.enter("concepts", *((node, "concepts") for node in through))
    settings(part, samplers, "seed steps")
    for (title, _, _), nodes in zip(branches, decoded, strict=True):
        part.leave(title, nodes[-1], "IMAGE")
    for title, node in said.items():
        part.leave(f"losses ({title.lower()})", node, "text")
    links = {
        "model": (loader, "MODEL"),
        "positive": (prompt, "CONDITIONING"),
        "clip": (loader, "CLIP"),
        "hrv": (hrv, "hrv"),
    }
    drawn = graph.place(part, 300, **links, **ends)
    shown = [graph.node("PreviewImage", title, wide=290, images=(drawn, title)) for title, _, _ in branches]
    texts = [
        graph.node("PreviewAny", f"Losses ({title.lower()})", wide=300, source=(drawn, f"losses ({title.lower()})"))
        for title in said
    ]
    graph.group("The same noise", (right + GAP, 0), [[drawn, *texts[:2]], shown[:3], [*shown[3:], *texts[2:]]])


GUIDANCE_GRAPHS: dict[str, Callable[[Graph], None]] = {
    "18 Keep every object": pocket_excite,
    "19 SD1.5 - keep every object": sd15_excite,
    "21 SD1.5 - five methods for several objects": sd15_side_by_side,
    "20 SDXL - keep every object": sdxl_excite,
}
