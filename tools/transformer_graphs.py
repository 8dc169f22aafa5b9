"""The graphs that find the heads of a transformer and fix a word with them, on Qwen-Image (38, 39)."""

from __future__ import annotations

from typing import Any

from .graph_parts import HUB, Node
from .litegraph import Graph
from .prompt_weight_graphs import file

FILES = f"{HUB}/Comfy-Org/Qwen-Image_ComfyUI/resolve/main/split_files"
PLAIN = "a vase in lavender color"
CONCEPTS = (  # of the misread words that the experiment on it asks for
    "Color, Plants, Fruits and Vegetables, Food and Beverages, Animals, Tools, Vehicles, Electronics, Sports Equipment,"
    " Brand Logos"
)
SAMPLER: dict[str, Any] = {"seed": 1, "steps": 20, "cfg": 2.5, "sampler_name": "euler", "scheduler": "simple"}


def qwen_effect(graph: Graph) -> None:
    """38: heads of Qwen-Image by effect, saved for HRV Load."""
    note = graph.note(560)
    unet, clip = _loaders(graph)
    shifted = graph.node("ModelSamplingAuraFlow", wide=380, model=(unet, "MODEL"), shift=3.1)
    concepts = graph.node("HRVConcepts", wide=380, preset="paper34", keep=CONCEPTS)
    build = graph.node(
        "HRVBuildByEffect", wide=380, model=(shifted, "MODEL"), clip=(clip, "CLIP"), concepts=(concepts, "concepts"),
        templates="paper34", samples_per_word=1, width=512, height=512, save_as="qwen_image_effect",
        save_memory=True, **SAMPLER,
    )  # fmt: skip
    heatmap = graph.node("HRVHeatmap", wide=420, hrv=(build, "hrv"), concept="Color, Plants")
    preview = graph.node("PreviewImage", "Heat map", wide=420, images=(heatmap, "IMAGE"))
    text = graph.node("PreviewAny", "Report", wide=420, source=(build, "report"))
    right, _ = graph.group("Model and concepts", (0, 0), [[note], [unet, clip, shifted, concepts]])
    right, _ = graph.group("Heads are measured", (right + 40, 0), [[build]])
    graph.group("What came out", (right + 40, 0), [[heatmap, text], [preview]])


def qwen_fix(graph: Graph) -> None:
    """39: a misread word on Qwen-Image, adjusted with the heads that 38 has found."""
    note = graph.note(560)
    unet, clip = _loaders(graph)
    model = file(f"{FILES}/vae/qwen_image_vae.safetensors", "vae")
    vae = graph.node("VAELoader", wide=380, models=[model], vae_name=model["name"])
    shifted = graph.node("ModelSamplingAuraFlow", wide=380, model=(unet, "MODEL"), shift=3.1)
    hrv = graph.node("HRVLoad", file="qwen_image_effect.safetensors")
    prompt = graph.node("HRVPrompt", "HRV Prompt (positive)", wide=380, clip=(clip, "CLIP"), text=PLAIN)
    negative = graph.node("CLIPTextEncode", "Negative prompt", wide=380, clip=(clip, "CLIP"), text="")
    latent = graph.node("EmptySD3LatentImage", wide=380, width=1024, height=1024, batch_size=1)
    columns = [[note], [unet, clip, vae, shifted], [hrv, prompt, negative, latent]]
    right, _ = graph.group("Model and prompt", (0, 0), columns)
    shared = {"negative": (negative, "CONDITIONING"), "latent_image": (latent, "LATENT"), **SAMPLER}
    adjust = graph.node(
        "HRVConceptAdjust", wide=320, model=(shifted, "MODEL"), positive=(prompt, "CONDITIONING"), hrv=(hrv, "hrv"),
        word="lavender", desired="Color", undesired="Plants",
    )  # fmt: skip
    lower = -40
    branches: list[tuple[str, list[list[Node]], dict[str, Any]]] = [
        ("Plain", [], {"model": (shifted, "MODEL"), "positive": (prompt, "CONDITIONING")}),
        ("The word adjusted", [[adjust]], {"model": (adjust, "MODEL"), "positive": (adjust, "positive")}),
    ]
    for title, first, ends in branches:
        sampler = graph.node("KSampler", f"KSampler ({title.lower()})", **ends, **shared)
        decoded = graph.node("VAEDecode", wide=240, samples=(sampler, "LATENT"), vae=(vae, "VAE"))
        shown = graph.node("PreviewImage", title, wide=460, images=(decoded, "IMAGE"))
        _, lower = graph.group(title, (right + 40, lower + 40), [*first, [sampler], [decoded], [shown]])


def _loaders(graph: Graph) -> tuple[Node, Node]:
    unet = file(f"{FILES}/diffusion_models/qwen_image_fp8_e4m3fn.safetensors", "diffusion_models")
    clip = file(f"{FILES}/text_encoders/qwen_2.5_vl_7b_fp8_scaled.safetensors", "text_encoders")
    return (
        graph.node("UNETLoader", wide=380, models=[unet], unet_name=unet["name"]),
        graph.node("CLIPLoader", wide=380, models=[clip], clip_name=clip["name"], more={"type": "qwen_image"}),
    )
