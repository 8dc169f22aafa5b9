"""The graphs that find the heads of a transformer and fix a word with them, on Qwen-Image."""

from __future__ import annotations

from typing import Any

from .effect_graphs import measured
from .graph_parts import GAP, HUB, Node, Way, draw, negative_prompt
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
    """Heads of Qwen-Image by effect, saved for HRV Load."""
    note = graph.note(420)
    unet, clip = _loaders(graph)
    shifted = graph.node("ModelSamplingAuraFlow", wide=320, model=(unet, "MODEL"), shift=3.1)
    concepts = graph.node("HRVConcepts", wide=320, preset="paper34", keep=CONCEPTS)
    build = graph.node(
        "HRVBuildByEffect", wide=360, model=(shifted, "MODEL"), clip=(clip, "CLIP"), concepts=(concepts, "concepts"),
        templates="paper34", samples_per_word=1, width=512, height=512, save_as="qwen_image_effect",
        save_memory=True, **SAMPLER,
    )  # fmt: skip
    measured(graph, [[note, concepts], [unet, clip, shifted]], build)


def qwen_fix(graph: Graph) -> None:
    """A misread word on Qwen-Image, adjusted with the heads that were found by effect."""
    note = graph.note(250)
    unet, clip = _loaders(graph)
    model = file(f"{FILES}/vae/qwen_image_vae.safetensors", "vae")
    vae = graph.node("VAELoader", wide=320, models=[model], vae_name=model["name"])
    shifted = graph.node("ModelSamplingAuraFlow", wide=320, model=(unet, "MODEL"), shift=3.1)
    hrv = graph.node("HRVLoad", wide=320, file="qwen_image_effect.safetensors")
    prompt = graph.node("HRVPrompt", "HRV Prompt (positive)", wide=320, clip=(clip, "CLIP"), text=PLAIN)
    negative = negative_prompt(graph, clip)
    latent = graph.node("EmptySD3LatentImage", wide=320, width=1024, height=1024, batch_size=1)
    columns = [[unet, clip, vae, shifted, hrv], [note, prompt, negative, latent]]
    right, _ = graph.group("Model and prompt", (0, 0), columns)
    adjust = graph.node(
        "HRVConceptAdjust", model=(shifted, "MODEL"), positive=(prompt, "CONDITIONING"), hrv=(hrv, "hrv"),
        word="lavender", desired="Color", undesired="Plants",
    )  # fmt: skip
    right, _ = graph.group("The word, steered", (right + GAP, 0), [[adjust]])
    ways = [
        Way("Plain", (shifted, "MODEL"), (prompt, "CONDITIONING")),
        Way("The word adjusted", (adjust, "MODEL"), (adjust, "positive")),
    ]
    ends = {"negative": (negative, "CONDITIONING"), "latent": (latent, "LATENT"), "vae": (vae, "VAE")}
    drawn, shown = draw(graph, ways, ends, SAMPLER)
    graph.group("The same noise", (right + GAP, 0), [[drawn], shown])


def _loaders(graph: Graph) -> tuple[Node, Node]:
    unet = file(f"{FILES}/diffusion_models/qwen_image_fp8_e4m3fn.safetensors", "diffusion_models")
    clip = file(f"{FILES}/text_encoders/qwen_2.5_vl_7b_fp8_scaled.safetensors", "text_encoders")
    return (
        graph.node("UNETLoader", wide=320, models=[unet], unet_name=unet["name"]),
        graph.node("CLIPLoader", wide=320, models=[clip], clip_name=clip["name"], more={"type": "qwen_image"}),
    )
