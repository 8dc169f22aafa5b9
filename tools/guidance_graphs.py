"""The graphs of prompts with several objects: Attend-and-Excite, SynGen and Structured Diffusion (19 to 22)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .graph_parts import POCKET_SAMPLER, SD15, SD_SAMPLER, SDXL, Branch, Node, Settings
from .litegraph import Graph

PLAIN: Branch = ("Plain", "", {})
STRUCTURED: Branch = ("Structured Diffusion", "HRVStructuredDiffusion", {})
SYNGEN: Branch = ("SynGen", "HRVSynGen", {})
EXCITED: Branch = ("Attend-and-Excite", "HRVAttendExcite", {})
WITH_LOSSES = ("HRVSynGen", "HRVAttendExcite")


def with_hrv(concepts: str, **more: Any) -> Branch:
    """Attend-and-Excite that reads all heads, weighted by relevance."""
    return "Attend-and-Excite with HRVs", "HRVAttendExcite", {"preset": "hrv", "concepts": concepts, **more}


def pocket_excite(graph: Graph) -> None:
    """19: two coloured things on the pocket model under every method."""
    note = graph.note(620)
    loader = graph.node("HRVPocketModel", model="squares")
    hrv = graph.node("HRVLoad", file="preset: pocket.safetensors")
    moved: Settings = {"rivals": "words of the prompt", "thresholds": "", "steps_to_alter": 10, "step_size": 100.0}
    branches = [
        PLAIN,
        STRUCTURED,
        ("SynGen", "HRVSynGen", {"steps_to_alter": 20}),
        ("Attend-and-Excite", "HRVAttendExcite", {**moved, "sharpness": 3.0}),
        with_hrv("Plant, Fruit", **moved | {"step_size": 20.0}, sharpness=10.0),
    ]
    _several(graph, note, loader, hrv, "a purple tulip and a blue banana", 32, 6, branches, POCKET_SAMPLER, enlarge=8.0)


def sd15_excite(graph: Graph) -> None:
    """20: a cat and a frog on SD1.5, excited through the heads of Animals."""
    note = graph.note(600)
    loader = graph.node("CheckpointLoaderSimple", models=[SD15], wide=380, ckpt_name=SD15["name"])
    hrv = graph.node("HRVLoad", file="sd15_paper34.safetensors")
    branches = [PLAIN, with_hrv("Animals, Animals")]
    _several(graph, note, loader, hrv, "a cat and a frog", 512, 1, branches, SD_SAMPLER | {"steps": 50})


def sd15_side_by_side(graph: Graph) -> None:
    """21: every method on a prompt of the paper's second type."""
    note = graph.note(640)
    loader = graph.node("CheckpointLoaderSimple", models=[SD15], wide=380, ckpt_name=SD15["name"])
    hrv = graph.node("HRVLoad", file="sd15_paper34.safetensors")
    branches = [PLAIN, STRUCTURED, SYNGEN, EXCITED, with_hrv("Animals, Animals")]
    text = "a green penguin and a purple bear"
    _several(graph, note, loader, hrv, text, 512, 1, branches, SD_SAMPLER | {"steps": 50})


def sdxl_excite(graph: Graph) -> None:
    """22: SDXL, saving memory."""
    note = graph.note(580)
    loader = graph.node("CheckpointLoaderSimple", models=[SDXL], wide=380, ckpt_name=SDXL["name"])
    hrv = graph.node("HRVLoad", file="sdxl_paper34.safetensors")
    settings: Settings = {"steps_to_alter": 15, "thresholds": "0:.05, 6:.5, 12:.8", "save_memory": True}
    branches = [PLAIN, with_hrv("Animals, Animals", **settings)]
    _several(graph, note, loader, hrv, "a cat and a frog", 1024, 1, branches, SD_SAMPLER)


def _several(
    graph: Graph, note: Node, loader: Node, hrv: Node, text: str, side: int, batch: int, branches: list[Branch],
    sampler: Settings, enlarge: float | None = None,
) -> None:  # fmt: skip
    """One prompt and its noises, a row of nodes for each branch (title, guiding node or none, its settings)."""
    prompt = graph.node("HRVPrompt", "HRV Prompt (positive)", wide=380, clip=(loader, "CLIP"), text=text)
    negative = graph.node("CLIPTextEncode", "Negative prompt", wide=380, clip=(loader, "CLIP"), text="")
    latent = graph.node("EmptyLatentImage", width=side, height=side, batch_size=batch)
    right, _ = graph.group("Model and prompt", (0, 0), [[note], [loader, hrv], [prompt, negative, latent]])
    top = 0
    for title, kind, asked in branches:
        model, positive, row = (loader, "MODEL"), (prompt, "CONDITIONING"), list[list[Node]]()
        if kind:
            links: Settings = {"clip": (loader, "CLIP")} if kind == "HRVStructuredDiffusion" else {}
            links |= {"hrv": (hrv, "hrv")} if "concepts" in asked else {}
            guide = graph.node(kind, title, wide=340, model=model, positive=positive, **links, **asked)
            model, positive, row = (guide, "MODEL"), (guide, "positive"), [[guide]]
        ends: Settings = {"negative": (negative, "CONDITIONING"), "latent_image": (latent, "LATENT"), **sampler}
        drawn = graph.node("KSampler", f"KSampler ({title.lower()})", model=model, positive=positive, **ends)
        decoded = graph.node("VAEDecode", wide=240, samples=(drawn, "LATENT"), vae=(loader, "VAE"))
        shown, column = decoded, [decoded]
        if enlarge:
            shown = graph.node(
                "ImageScaleBy", wide=300, image=(decoded, "IMAGE"), upscale_method="nearest-exact", scale_by=enlarge
            )
            column.append(shown)
        row += [[drawn], column, [graph.node("PreviewImage", title, wide=460, images=(shown, "IMAGE"))]]
        if kind in WITH_LOSSES:
            losses = graph.node("HRVGuidanceLosses", wide=300, model=model, samples=(drawn, "LATENT"))
            text_node = graph.node("PreviewAny", f"Losses ({title.lower()})", wide=420, source=(losses, "text"))
            row += [[losses], [text_node]]
        _, bottom = graph.group(title, (right + 40, top), row)
        top = bottom + 40


GUIDANCE_GRAPHS: dict[str, Callable[[Graph], None]] = {
    "19_pocket_attend_excite": pocket_excite,
    "20_sd15_attend_excite_hrv": sd15_excite,
    "21_sd15_multi_concept_side_by_side": sd15_side_by_side,
    "22_sdxl_attend_excite_hrv": sdxl_excite,
}
