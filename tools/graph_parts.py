"""What several workflow graphs share: checkpoints, sampler settings, and images with and without a steering node."""

from __future__ import annotations

from typing import Any

from .litegraph import Graph

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
CLIP = {
    "name": "open_clip_model.safetensors",
    "url": f"{HUB}/laion/CLIP-ViT-H-14-laion2B-s32B-b79K/resolve/main/open_clip_model.safetensors",
    "directory": "clip_vision",
}
# The pocket model's own: vectors, a caption that is misread, and what is meant.
DRAWINGS_BY_EFFECT = "preset: drawings_effect.safetensors"
MISREAD = "an orange car"
MEANT: Settings = {"word": "orange", "desired": "Color", "undesired": "Fruits and Vegetables"}
POCKET_SAMPLER: Settings = {"seed": 1, "steps": 20, "cfg": 3.0, "sampler_name": "ddim", "scheduler": "ddim_uniform"}
MISREAD_SAMPLER = POCKET_SAMPLER | {"seed": 5}  # of its eight images three are misread
SD_SAMPLER: Settings = {"seed": 1, "steps": 30, "cfg": 7.5, "sampler_name": "ddim", "scheduler": "ddim_uniform"}


def compare(
    graph: Graph, note: Node, loader: Node, hrv: Node, text: str | tuple[Node, str], side: int | None, batch: int,
    branches: list[Branch], sampler: dict[str, Any], enlarge: float | None = None, below: list[Node] | None = None,
    more: list[list[Node]] | None = None,
) -> tuple[Node, Node, int]:  # fmt: skip
    """The same prompt and seeds: as the model is, and once for each branch (title, steering node, its settings).

    side: in pixels, None for the loader's own latent; below: nodes under the loaders; more: further columns of the
    first group. Returns the two prompts and the lower edge of the last group.
    """
    prompt = graph.node("HRVPrompt", "HRV Prompt (positive)", wide=380, clip=(loader, "CLIP"), text=text)
    negative = graph.node("CLIPTextEncode", "Negative prompt", wide=380, clip=(loader, "CLIP"), text="")
    latent = empty_latent(graph, loader, side, batch)
    columns = [[note], [loader, hrv, *(below or [])], [prompt, negative, latent], *(more or [])]
    right, _ = graph.group("Model and prompt", (0, 0), columns)
    shared = {"negative": (negative, "CONDITIONING"), "latent_image": (latent, "LATENT"), **sampler}

    plain = graph.node(
        "KSampler", "KSampler (plain)", model=(loader, "MODEL"), positive=(prompt, "CONDITIONING"), **shared
    )
    _, middle = graph.group("Plain", (right + 400, 0), [[plain], *see(graph, plain, loader, "Plain", enlarge)])

    for title, kind, asked in branches:
        steer = graph.node(
            kind, wide=320, model=(loader, "MODEL"), positive=(prompt, "CONDITIONING"), hrv=(hrv, "hrv"), **asked
        )
        ends = {"model": (steer, "MODEL"), "positive": (steer, "positive"), **shared}
        steered = graph.node("KSampler", f"KSampler ({title.lower()})", **ends)
        columns = [[steer], [steered], *see(graph, steered, loader, title, enlarge)]
        _, middle = graph.group(title, (right + 40, middle + 40), columns)
    return prompt, negative, middle


def empty_latent(graph: Graph, loader: Node, side: int | None, batch: int) -> Node:
    """An empty latent of square images; side None: as many of the pocket model's own, which fit whichever it is."""
    if side is None:
        return graph.node("RepeatLatentBatch", "Images", samples=(loader, "LATENT"), amount=batch)
    return graph.node("EmptyLatentImage", width=side, height=side, batch_size=batch)


def see(graph: Graph, sampler: Node, loader: Node, title: str, enlarge: float | None) -> list[list[Node]]:
    decoded = graph.node("VAEDecode", wide=240, samples=(sampler, "LATENT"), vae=(loader, "VAE"))
    shown, columns = decoded, [[decoded]]
    if enlarge:
        shown = graph.node(
            "ImageScaleBy", wide=240, image=(decoded, "IMAGE"), upscale_method="nearest-exact", scale_by=enlarge
        )
        columns.append([shown])
    return [*columns, [graph.node("PreviewImage", title, wide=460, images=(shown, "IMAGE"))]]
