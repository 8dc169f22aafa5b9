"""The graph of HRV Reference Strength: how much of each reference image, on Qwen-Image-Edit (37)."""

from __future__ import annotations

from typing import Any

from .graph_parts import HUB, Node
from .litegraph import Graph
from .prompt_weight_graphs import file

EDIT = f"{HUB}/Comfy-Org/Qwen-Image-Edit_ComfyUI/resolve/main/split_files/diffusion_models"
QWEN = f"{HUB}/Comfy-Org/Qwen-Image_ComfyUI/resolve/main/split_files"
ASKED = "Repaint the first image in the colors and the style of the second image."
STRENGTHS = [("Plain", 1.0), ("Less of image 2", 0.6), ("More of image 2", 1.4)]


def qwen_edit(graph: Graph) -> None:
    """37: the second of two reference images weaker and stronger, for both prompts alike."""
    note = graph.note(620)
    unet, clip, vae, shifted = _loaders(graph)
    images = [graph.node("LoadImage", f"Image {number}", wide=320, image="example.png") for number in (1, 2)]
    latent = graph.node("EmptySD3LatentImage", wide=380, width=1024, height=1024, batch_size=1)
    given: dict[str, Any] = {"clip": (clip, "CLIP"), "vae": (vae, "VAE")}
    given |= {f"image{number}": (image, "IMAGE") for number, image in enumerate(images, start=1)}
    prompts = [
        graph.node("TextEncodeQwenImageEditPlus", title, wide=400, prompt=text, **given)
        for title, text in (("Positive prompt", ASKED), ("Negative prompt", ""))
    ]
    right, _ = graph.group("Model and images", (0, 0), [[note], [unet, shifted, clip, vae], images, [*prompts, latent]])
    settings: dict[str, Any] = {"seed": 1, "steps": 20, "cfg": 2.5, "sampler_name": "euler", "scheduler": "simple"}
    lower = -40
    for title, strength in STRENGTHS:
        first, ends = _strength(graph, shifted, prompts, strength) if strength != 1 else ([], _plain(shifted, prompts))
        sampler = graph.node(
            "KSampler", f"KSampler ({title.lower()})", latent_image=(latent, "LATENT"), **ends, **settings
        )
        decoded = graph.node("VAEDecode", wide=240, samples=(sampler, "LATENT"), vae=(vae, "VAE"))
        shown = graph.node("PreviewImage", title, wide=460, images=(decoded, "IMAGE"))
        _, lower = graph.group(title, (right + 40, lower + 40), [*first, [sampler], [decoded], [shown]])


def _loaders(graph: Graph) -> tuple[Node, Node, Node, Node]:
    model = file(f"{EDIT}/qwen_image_edit_2509_fp8_e4m3fn.safetensors", "diffusion_models")
    encoder = file(f"{QWEN}/text_encoders/qwen_2.5_vl_7b_fp8_scaled.safetensors", "text_encoders")
    decoder = file(f"{QWEN}/vae/qwen_image_vae.safetensors", "vae")
    unet = graph.node("UNETLoader", wide=380, models=[model], unet_name=model["name"])
    clip = graph.node("CLIPLoader", wide=380, models=[encoder], clip_name=encoder["name"], more={"type": "qwen_image"})
    vae = graph.node("VAELoader", wide=380, models=[decoder], vae_name=decoder["name"])
    shifted = graph.node("ModelSamplingAuraFlow", wide=380, model=(unet, "MODEL"), shift=3.0)
    return unet, clip, vae, shifted


def _plain(model: Node, prompts: list[Node]) -> dict[str, Any]:
    positive, negative = ((prompt, "CONDITIONING") for prompt in prompts)
    return {"model": (model, "MODEL"), "positive": positive, "negative": negative}


def _strength(graph: Graph, model: Node, prompts: list[Node], strength: float) -> tuple[list[list[Node]], dict]:
    """HRV Reference Strength on both prompts with the report of the first, and what a sampler takes of them."""
    nodes: list[Node] = []
    for prompt, which in zip(prompts, ("positive", "negative"), strict=True):
        ends: dict[str, Any] = {"model": (model, "MODEL"), "conditioning": (prompt, "CONDITIONING")}
        node = graph.node(
            "HRVReferenceStrength", f"HRV Reference Strength ({which})", wide=400, image=2, strength=strength, **ends
        )
        nodes.append(node)
        model = node
    report = graph.node("PreviewAny", "What was asked", wide=400, source=(nodes[0], "report"))
    return [nodes, [report]], _plain(model, nodes)


REFERENCE_GRAPHS = {"37_qwen_edit_reference_strength": qwen_edit}
