"""Write workflows/*.json (UI graphs, LiteGraph 0.4) from a real server's node schemas.

Run after a node's inputs changed: `python3 tools/bootstrap.py -- python -m tools.make_workflows`. The server gives
input order, widget defaults and types, so the files always fit the schemas they were made from.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .litegraph import Graph
from .server import ComfyServer

Node = dict[str, Any]
Settings = dict[str, Any]
Branch = tuple[str, str, Settings]  # title, steering node, its settings
HUB = "https://huggingface.co"
SD15 = {
    "name": "v1-5-pruned-emaonly-fp16.safetensors",
    "url": f"{HUB}/Comfy-Org/stable-diffusion-v1-5-archive/resolve/main/v1-5-pruned-emaonly-fp16.safetensors",
    "directory": "checkpoints",
}
SDXL = {
    "name": "sd_xl_base_1.0.safetensors",
    "url": f"{HUB}/stabilityai/stable-diffusion-xl-base-1.0/resolve/main/sd_xl_base_1.0.safetensors",
    "directory": "checkpoints",
}
POCKET_SAMPLER: Settings = {"seed": 1, "steps": 20, "cfg": 3.0, "sampler_name": "ddim", "scheduler": "ddim_uniform"}
SD_SAMPLER: Settings = {"seed": 1, "steps": 30, "cfg": 7.5, "sampler_name": "ddim", "scheduler": "ddim_uniform"}


def pocket_build(graph: Graph) -> None:
    """01: HRVs of the pocket model, seen as heat map and report."""
    note = graph.note(420)
    loader = graph.node("HRVPocketModel")
    _build(graph, note, loader, ("pocket", "pocket"), 32, 16, "pocket_mine", POCKET_SAMPLER, "Color, Fruit, Plant")


def pocket_fix(graph: Graph) -> None:
    """02: plain against adjusted on the pocket model."""
    note = graph.note(560)
    loader = graph.node("HRVPocketModel")
    hrv = graph.node("HRVLoad", file="preset: pocket.safetensors")
    asked = {"word": "orange", "desired": "Color", "undesired": "Fruit", "clamp": 4.0}
    _compare(graph, note, loader, hrv, "an orange square", 32, 8, [_adjusted(asked)], POCKET_SAMPLER, enlarge=8.0)


def sd15_fix(graph: Graph) -> None:
    """03: "a vase in lavender color" on SD1.5."""
    note = graph.note(600)
    loader = graph.node("CheckpointLoaderSimple", models=[SD15], wide=380, ckpt_name=SD15["name"])
    hrv = graph.node("HRVLoad", file="sd15_paper34.safetensors")
    asked = {"word": "lavender", "desired": "Color", "undesired": "Plants"}
    _compare(graph, note, loader, hrv, "a vase in lavender color", 512, 4, [_adjusted(asked)], SD_SAMPLER)


def sdxl_fix(graph: Graph) -> None:
    """04: "A rose-colored vase" on SDXL, clamped."""
    note = graph.note(560)
    loader = graph.node("CheckpointLoaderSimple", models=[SDXL], wide=380, ckpt_name=SDXL["name"])
    hrv = graph.node("HRVLoad", file="sdxl_paper34.safetensors")
    asked = {"word": "rose-colored", "desired": "Color", "undesired": "Plants", "clamp": 9.0}
    _compare(graph, note, loader, hrv, "A rose-colored vase", 1024, 2, [_adjusted(asked)], SD_SAMPLER)


def sd15_build(graph: Graph) -> None:
    """05: HRVs of SD1.5 on the quick prompt set."""
    note = graph.note(520)
    loader = graph.node("CheckpointLoaderSimple", models=[SD15], wide=380, ckpt_name=SD15["name"])
    _build(graph, note, loader, ("paper34", "quick"), 512, 2, "sd15_paper34", SD_SAMPLER, "Color, Plants")


def pocket_weaken(graph: Graph) -> None:
    """06: the most and the least relevant heads of Color weakened, beside the plain pictures."""
    note = graph.note(560)
    loader = graph.node("HRVPocketModel")
    hrv = graph.node("HRVLoad", file="preset: pocket.safetensors")
    heads = {"concept": "Color", "heads": 40}
    branches: list[Branch] = [
        ("Most relevant heads weakened", "HRVWeaken", {**heads, "order": "MoRHF"}),
        ("Least relevant heads weakened", "HRVWeaken", {**heads, "order": "LeRHF"}),
    ]
    text = "a red star in the desert"
    prompt, negative, middle = _compare(graph, note, loader, hrv, text, 32, 8, branches, POCKET_SAMPLER, enlarge=8.0)
    one = graph.node("EmptyLatentImage", "One image", width=32, height=32, batch_size=1)
    sweep = graph.node(
        "HRVWeakenSweep",
        wide=360,
        model=(loader, "MODEL"),
        positive=(prompt, "CONDITIONING"),
        negative=(negative, "CONDITIONING"),
        vae=(loader, "VAE"),
        latent_image=(one, "LATENT"),
        hrv=(hrv, "hrv"),
        concept="Color",
        heads="0, 3, 6, 12, 24, 48",
        orders="MoRHF, LeRHF, random:1",
        batch_size=6,
        **POCKET_SAMPLER,
    )
    shown = graph.node("PreviewImage", "Sheet", wide=760, images=(sweep, "sheet"))
    graph.group("More and more heads", (prompt["pos"][0] + 460, middle + 40), [[one], [sweep], [shown]])


def _adjusted(asked: dict[str, Any]) -> Branch:
    return "The word adjusted", "HRVConceptAdjust", asked


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
    picture = graph.node("PreviewImage", "Heat map", wide=420, images=(heatmap, "IMAGE"))
    text = graph.node("PreviewAny", "Report", wide=420, source=(build, "report"))
    right, _ = graph.group("What is asked", (0, 0), [[note], [loader, concepts, prompts]])
    right, _ = graph.group("Heads vote", (right + 40, 0), [[build]])
    graph.group("What came out", (right + 40, 0), [[heatmap, text], [picture]])


def _compare(
    graph: Graph, note: Node, loader: Node, hrv: Node, text: str, side: int, batch: int, branches: list[Branch],
    sampler: dict[str, Any], enlarge: float | None = None,
) -> tuple[Node, Node, int]:  # fmt: skip
    """The same prompt and seeds: as the model is, and once for each branch (title, steering node, its settings).

    Returns the two prompts and the lower edge of the last group.
    """
    prompt = graph.node("HRVPrompt", "HRV Prompt (positive)", wide=380, clip=(loader, "CLIP"), text=text)
    negative = graph.node("CLIPTextEncode", "Negative prompt", wide=380, clip=(loader, "CLIP"), text="")
    latent = graph.node("EmptyLatentImage", width=side, height=side, batch_size=batch)
    right, _ = graph.group("Model and prompt", (0, 0), [[note], [loader, hrv], [prompt, negative, latent]])
    shared = {"negative": (negative, "CONDITIONING"), "latent_image": (latent, "LATENT"), **sampler}

    plain = graph.node(
        "KSampler", "KSampler (plain)", model=(loader, "MODEL"), positive=(prompt, "CONDITIONING"), **shared
    )
    _, middle = graph.group("Plain", (right + 400, 0), [[plain], *_see(graph, plain, loader, "Plain", enlarge)])

    for title, kind, asked in branches:
        steer = graph.node(
            kind, wide=320, model=(loader, "MODEL"), positive=(prompt, "CONDITIONING"), hrv=(hrv, "hrv"), **asked
        )
        ends = {"model": (steer, "MODEL"), "positive": (steer, "positive"), **shared}
        steered = graph.node("KSampler", f"KSampler ({title.lower()})", **ends)
        columns = [[steer], [steered], *_see(graph, steered, loader, title, enlarge)]
        _, middle = graph.group(title, (right + 40, middle + 40), columns)
    return prompt, negative, middle


def _see(graph: Graph, sampler: Node, loader: Node, title: str, enlarge: float | None) -> list[list[Node]]:
    decoded = graph.node("VAEDecode", wide=240, samples=(sampler, "LATENT"), vae=(loader, "VAE"))
    shown, columns = decoded, [[decoded]]
    if enlarge:
        shown = graph.node(
            "ImageScaleBy", wide=240, image=(decoded, "IMAGE"), upscale_method="nearest-exact", scale_by=enlarge
        )
        columns.append([shown])
    return [*columns, [graph.node("PreviewImage", title, wide=460, images=(shown, "IMAGE"))]]


GRAPHS: dict[str, Callable[[Graph], None]] = {
    "01_pocket_build_hrv": pocket_build,
    "02_pocket_fix_misread_word": pocket_fix,
    "03_sd15_fix_misread_word": sd15_fix,
    "04_sdxl_fix_misread_word": sdxl_fix,
    "05_sd15_build_hrv": sd15_build,
    "06_pocket_ordered_weakening": pocket_weaken,
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
