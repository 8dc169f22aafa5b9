"""The graphs of HRV Prompt Weights: on the pocket model and on transformers."""

from __future__ import annotations

from typing import Any

from .graph_parts import (
    DRAWINGS_BY_EFFECT,
    GAP,
    HUB,
    POCKET_SAMPLER,
    Node,
    Output,
    Way,
    decode,
    draw,
    empty_latent,
    negative_prompt,
    settings,
)
from .litegraph import TEXT, Graph
from .subgraph import Subgraph

WAN = f"{HUB}/Comfy-Org/Wan_2.1_ComfyUI_repackaged/resolve/main/split_files"
Z_IMAGE = f"{HUB}/Comfy-Org/z_image_turbo/resolve/main/split_files"


def file(url: str, directory: str) -> dict[str, str]:
    """A file as a loader names it in its properties, so that the frontend offers to fetch it."""
    return {"name": url.rpartition("/")[2], "url": url, "directory": directory}


def pocket_prompt_weights(graph: Graph) -> None:
    """A word stronger, only in a concept's heads, and pushed away, on the pocket model."""
    note = graph.note(420)
    loader = graph.node("HRVPocketModel", wide=340)
    hrv = graph.node("HRVLoad", wide=340, file=DRAWINGS_BY_EFFECT)
    plain = "a blue dog in the desert on a snowy day"
    prompt = graph.node("HRVPrompt", "HRV Prompt (no weights)", wide=320, clip=(loader, "CLIP"), text=plain)
    negative = negative_prompt(graph, loader)
    latent = empty_latent(graph, loader, None, 4)
    right, _ = graph.group("Model and prompt", (0, 0), [[note, loader, hrv], [prompt, negative, latent]])
    texts = {
        "A word stronger": plain.replace("blue", "(blue:2)"),
        "Stronger in its heads": plain.replace("blue", "(blue:2 Color)"),
        "A word pushed away": plain.replace("snowy", "(snowy:-1)"),
    }
    part = Subgraph("Weighted words", graph.object_info, graph.name)
    nodes = {
        title: part.node("HRVPromptWeights", title, wide=340, more={"text": text}) for title, text in texts.items()
    }
    starts: dict[str, dict[str, Any]] = {"Plain": {}} | {
        title: {"model": (node, "MODEL"), "positive": (node, "CONDITIONING")} for title, node in nodes.items()
    }
    samplers = {
        title: part.node("KSampler", f"KSampler ({title.lower()})", more={**start, **POCKET_SAMPLER})
        for title, start in starts.items()
    }
    decoded = {title: decode(part, node, 4.0) for title, node in samplers.items()}
    part.group("One noise, four ways", (0, 0), [[node, *decoded[title]] for title, node in samplers.items()])
    part.group("Words, weighted", (0, 900), [[node] for node in nodes.values()])
    part.enter("model", (samplers["Plain"], "model"), *((node, "model") for node in nodes.values()))
    part.enter("clip", *((node, "clip") for node in nodes.values()))
    part.enter("positive (plain)", (samplers["Plain"], "positive"))
    part.enter("negative", *((node, "negative") for node in samplers.values()))
    part.enter("latent", *((node, "latent_image") for node in samplers.values()))
    part.enter("vae", *((row[0], "vae") for row in decoded.values()))
    part.enter("hrv", (nodes["Stronger in its heads"], "hrv"))
    for title, node in nodes.items():
        part.enter(title.lower(), (node, "text"))
    part.enter("strength", *((node, "strength") for node in nodes.values()))
    part.enter("limit", *((node, "limit") for node in nodes.values()))
    settings(part, list(samplers.values()), "seed")
    for title, row in decoded.items():
        part.leave(title, row[-1], "IMAGE")
    for title, node in nodes.items():
        part.leave(f"report ({title.lower()})", node, "report")
    links = {
        "model": (loader, "MODEL"), "clip": (loader, "CLIP"), "vae": (loader, "VAE"), "hrv": (hrv, "hrv"),
        "positive (plain)": (prompt, "CONDITIONING"), "negative": (negative, "CONDITIONING"),
        "latent": (latent, "LATENT"),
    }  # fmt: skip
    drawn = graph.place(part, 340, **links)
    drawn["size"][1] += TEXT * len(nodes)
    shown = [graph.node("PreviewImage", title, wide=270, images=(drawn, title)) for title in samplers]
    said = [
        graph.node(
            "PreviewAny", f"What was weighted ({title.lower()})", wide=270, source=(drawn, f"report ({title.lower()})")
        )
        for title in nodes
    ]
    for node in said:
        node["size"][1] = 90
    graph.group("The same noise", (right + GAP, 0), [[drawn], [*shown[:2], said[0]], [*shown[2:], *said[1:]]])


def zimage(graph: Graph) -> None:
    """33: weights on Z-Image Turbo, where the host's own do nothing."""
    note = graph.note(220)
    unet = _unet(graph, file(f"{Z_IMAGE}/diffusion_models/z_image_turbo_bf16.safetensors", "diffusion_models"))
    clip = _clip(graph, "lumina2", file(f"{Z_IMAGE}/text_encoders/qwen_3_4b.safetensors", "text_encoders"))
    vae = _vae(graph, file(f"{Z_IMAGE}/vae/ae.safetensors", "vae"))
    shifted = graph.node("ModelSamplingAuraFlow", wide=320, model=(unet, "MODEL"), shift=3.0)
    latent = graph.node("EmptySD3LatentImage", wide=320, width=1024, height=1024, batch_size=1)
    settings: dict[str, Any] = {
        "seed": 1,
        "steps": 8,
        "cfg": 1.0,
        "sampler_name": "res_multistep",
        "scheduler": "simple",
    }
    plain = "a photo of a vase with blue roses on a table, a red curtain, morning light"
    texts = [("The blue stronger", plain.replace("blue", "(blue:2)")), ("And less red", _both(plain))]
    _two_ways(graph, note, [unet, shifted, clip, vae], (shifted, "MODEL"), clip, vae, latent, plain, texts, settings)


def _both(plain: str) -> str:
    return plain.replace("blue", "(blue:2)").replace("red curtain", "(red:0) curtain")


def flux(graph: Graph) -> None:
    """34: something pushed away on Flux.1, which has no negative prompt at CFG 1."""
    note = graph.note(220)
    unet = _unet(graph, file(f"{HUB}/Comfy-Org/flux1-dev/resolve/main/flux1-dev.safetensors", "diffusion_models"))
    encoders = f"{HUB}/comfyanonymous/flux_text_encoders/resolve/main"
    files = [file(f"{encoders}/{name}.safetensors", "text_encoders") for name in ("clip_l", "t5xxl_fp16")]
    clip = graph.node(
        "DualCLIPLoader", wide=320, models=files, clip_name1=files[0]["name"], clip_name2=files[1]["name"],
        more={"type": "flux"},
    )  # fmt: skip
    vae = _vae(
        graph, file(f"{HUB}/Comfy-Org/Lumina_Image_2.0_Repackaged/resolve/main/split_files/vae/ae.safetensors", "vae")
    )
    latent = graph.node("EmptySD3LatentImage", wide=320, width=1024, height=1024, batch_size=1)
    settings: dict[str, Any] = {"seed": 1, "steps": 20, "cfg": 1.0, "sampler_name": "euler", "scheduler": "simple"}
    plain = "a quiet street in Paris with cars and people, morning fog"
    texts = [
        ("Cars pushed away", plain.replace("cars", "(cars:-1)")),
        ("Cars not seen", plain.replace("cars", "(cars:0)")),
    ]
    _two_ways(graph, note, [unet, clip, vae], (unet, "MODEL"), clip, vae, latent, plain, texts, settings)


def wan(graph: Graph) -> None:
    """35: a word's strength over the sampling of a video by Wan 2.1."""
    note = graph.note(220)
    unet = _unet(graph, file(f"{WAN}/diffusion_models/wan2.1_t2v_1.3B_fp16.safetensors", "diffusion_models"))
    clip = _clip(graph, "wan", file(f"{WAN}/text_encoders/umt5_xxl_fp8_e4m3fn_scaled.safetensors", "text_encoders"))
    vae = _vae(graph, file(f"{WAN}/vae/wan_2.1_vae.safetensors", "vae"))
    shifted = graph.node("ModelSamplingSD3", wide=320, model=(unet, "MODEL"), shift=8.0)
    latent = graph.node("EmptyHunyuanLatentVideo", wide=320, width=832, height=480, length=33, batch_size=1)
    settings: dict[str, Any] = {"seed": 1, "steps": 30, "cfg": 6.0, "sampler_name": "uni_pc", "scheduler": "simple"}
    plain = "a fox running quickly through deep snow, golden evening light, tracking camera"
    texts = [
        ("Early: motion", plain.replace("running quickly", "(running quickly:2@0-0.4)")),
        ("Late: light", plain.replace("golden evening light", "(golden evening light:2@0.4-1)")),
    ]
    _two_ways(
        graph, note, [unet, shifted, clip, vae], (shifted, "MODEL"), clip, vae, latent, plain, texts, settings, True
    )


def _unet(graph: Graph, model: dict[str, str]) -> Node:
    return graph.node("UNETLoader", wide=320, models=[model], unet_name=model["name"])


def _clip(graph: Graph, kind: str, model: dict[str, str]) -> Node:
    return graph.node("CLIPLoader", wide=320, models=[model], clip_name=model["name"], more={"type": kind})


def _vae(graph: Graph, model: dict[str, str]) -> Node:
    return graph.node("VAELoader", wide=320, models=[model], vae_name=model["name"])


def _two_ways(
    graph: Graph, note: Node, loaders: list[Node], model: Output, clip: Node, vae: Node, latent: Node, plain: str,
    texts: list[tuple[str, str]], sampler: dict[str, Any], video: bool = False,
) -> None:  # fmt: skip
    """One prompt without weights, and with those of each text (title, text), from one noise."""
    prompt = graph.node("HRVPrompt", "HRV Prompt (no weights)", clip=(clip, "CLIP"), text=plain)
    if video:
        negative = negative_prompt(graph, clip, 300)
        negative["widgets_values"] = ["blurry, static"]
    else:
        negative = graph.node("ConditioningZeroOut", conditioning=(prompt, "CONDITIONING"))
    columns = [loaders, [note, prompt, negative, latent]]
    right, _ = graph.group("Model and prompt", (0, 0), columns)
    ways, nodes = [Way("Plain", model, (prompt, "CONDITIONING"))], list[Node]()
    for title, text in texts:
        node = graph.node("HRVPromptWeights", title, wide=320, model=model, clip=(clip, "CLIP"), text=text)
        ways.append(Way(title, (node, "MODEL"), (node, "CONDITIONING")))
        nodes.append(node)
    reports = [
        graph.node("PreviewAny", f"What was weighted ({title.lower()})", wide=280, source=(node, "report"))
        for (title, _), node in zip(texts, nodes, strict=True)
    ]
    for node in reports:
        node["size"][1] = 110
    right, _ = graph.group("Words, weighted", (right + GAP, 0), [nodes])
    ends = {"negative": (negative, "CONDITIONING"), "latent": (latent, "LATENT"), "vae": (vae, "VAE")}
    drawn, shown = draw(graph, ways, ends, sampler, None, 320, film=video)
    graph.group("The same noise", (right + GAP, 0), [[drawn, *reports], shown])


PROMPT_WEIGHT_GRAPHS = {
    "07 Prompt weights that work": pocket_prompt_weights,
    "08 Z-Image - prompt weights that work": zimage,
    "09 Flux - push something away": flux,
    "10 Wan - a word's strength over time": wan,
}
