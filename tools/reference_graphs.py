"""The graph of HRV Reference Strength: how much of each reference image, on Qwen-Image-Edit."""

from __future__ import annotations

from typing import Any

from .graph_parts import GAP, HUB, Node, decode, settings
from .litegraph import Graph
from .prompt_weight_graphs import file
from .subgraph import Subgraph

EDIT = f"{HUB}/Comfy-Org/Qwen-Image-Edit_ComfyUI/resolve/main/split_files/diffusion_models"
QWEN = f"{HUB}/Comfy-Org/Qwen-Image_ComfyUI/resolve/main/split_files"
ASKED = "Repaint the first image in the colors and the style of the second image."
SAMPLER: dict[str, Any] = {"seed": 1, "steps": 20, "cfg": 2.5, "sampler_name": "euler", "scheduler": "simple"}
STRENGTHS = [("Plain", 1.0), ("Less of image 2", 0.6), ("More of image 2", 1.4)]


def qwen_edit(graph: Graph) -> None:
    """The second of two reference images weaker and stronger, for both prompts alike."""
    note = graph.note(420)
    unet, clip, vae, shifted = _loaders(graph)
    images = [graph.node("LoadImage", f"Image {number}", wide=280, image="example.png") for number in (1, 2)]
    latent = graph.node("EmptySD3LatentImage", wide=320, width=1024, height=1024, batch_size=1)
    given: dict[str, Any] = {"clip": (clip, "CLIP"), "vae": (vae, "VAE")}
    given |= {f"image{number}": (image, "IMAGE") for number, image in enumerate(images, start=1)}
    prompts = [
        graph.node("TextEncodeQwenImageEditPlus", title, wide=280, prompt=text, **given)
        for title, text in (("Positive prompt", ASKED), ("Negative prompt", ""))
    ]
    for node in [*images, *prompts]:
        node["size"][1] -= 20
    columns = [[note, latent], [unet, clip, vae, shifted], [*images, *prompts]]
    right, _ = graph.group("Model, images and prompts", (0, 0), columns)
    ends = {
        "model": (shifted, "MODEL"),
        "positive": (prompts[0], "CONDITIONING"),
        "negative": (prompts[1], "CONDITIONING"),
    }
    drawn = graph.place(_three(graph), 300, **ends, latent=(latent, "LATENT"), vae=(vae, "VAE"))
    shown = [graph.node("PreviewImage", title, wide=320, images=(drawn, title)) for title, _ in STRENGTHS]
    reports = [
        graph.node(
            "PreviewAny", f"What was asked ({title.lower()})", wide=300, source=(drawn, f"report ({title.lower()})")
        )
        for title, strength in STRENGTHS
        if strength != 1
    ]
    graph.group("The same noise", (right + GAP, 0), [[drawn, *reports], shown])


def _three(graph: Graph) -> Subgraph:
    """Plain, and both prompts under HRV Reference Strength at two strengths of the second image, from one noise."""
    part = Subgraph("Three strengths of image 2", graph.object_info, graph.name)
    rows, firsts, samplers = list[list[Node]](), list[list[Node]](), list[Node]()
    for title, strength in STRENGTHS:
        nodes: list[Node] = []
        ends: dict[str, Any] = {}
        if strength != 1:
            for which in ("positive", "negative"):
                before: dict[str, Any] = {"model": (nodes[-1], "MODEL")} if nodes else {}
                name = f"HRV Reference Strength ({which})"
                nodes.append(part.node("HRVReferenceStrength", name, wide=340, image=2, strength=strength, **before))
            ends = {
                "model": (nodes[-1], "MODEL"),
                "positive": (nodes[0], "CONDITIONING"),
                "negative": (nodes[1], "CONDITIONING"),
            }
        samplers.append(part.node("KSampler", f"KSampler ({title.lower()})", **ends, **SAMPLER))
        firsts.append(nodes)
        rows.append([*nodes, samplers[-1], *decode(part, samplers[-1], None)])
    part.group("The second image weaker and stronger", (0, 0), rows)
    strong = [nodes for nodes in firsts if nodes]
    part.enter("model", (samplers[0], "model"), *((nodes[0], "model") for nodes in strong))
    for place, which in enumerate(("positive", "negative")):
        part.enter(which, (samplers[0], which), *((nodes[place], "conditioning") for nodes in strong))
    part.enter("latent", *((node, "latent_image") for node in samplers))
    part.enter("vae", *((row[-1], "vae") for row in rows))
    for (title, _), nodes in zip(STRENGTHS, firsts, strict=True):
        if nodes:
            part.enter(f"strength: {title.lower()}", *((node, "strength") for node in nodes))
    settings(part, samplers, "seed steps cfg")
    for (title, _), row in zip(STRENGTHS, rows, strict=True):
        part.leave(title, row[-1], "IMAGE")
    for (title, _), nodes in zip(STRENGTHS, firsts, strict=True):
        if nodes:
            part.leave(f"report ({title.lower()})", nodes[0], "report")
    return part


def _loaders(graph: Graph) -> tuple[Node, Node, Node, Node]:
    model = file(f"{EDIT}/qwen_image_edit_2509_fp8_e4m3fn.safetensors", "diffusion_models")
    encoder = file(f"{QWEN}/text_encoders/qwen_2.5_vl_7b_fp8_scaled.safetensors", "text_encoders")
    decoder = file(f"{QWEN}/vae/qwen_image_vae.safetensors", "vae")
    unet = graph.node("UNETLoader", wide=320, models=[model], unet_name=model["name"])
    clip = graph.node("CLIPLoader", wide=320, models=[encoder], clip_name=encoder["name"], more={"type": "qwen_image"})
    vae = graph.node("VAELoader", wide=320, models=[decoder], vae_name=decoder["name"])
    shifted = graph.node("ModelSamplingAuraFlow", wide=320, model=(unet, "MODEL"), shift=3.0)
    return unet, clip, vae, shifted


REFERENCE_GRAPHS = {"12 Qwen-Image-Edit - how much of each reference": qwen_edit}
