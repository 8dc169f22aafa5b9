"""The graphs of HRV Prompt Weights: on the pocket model (32) and on transformers (33 to 35)."""

from __future__ import annotations

from typing import Any

from .graph_parts import HUB, POCKET_SAMPLER, Node, see
from .litegraph import Graph

Output = tuple[Node, str]
WAN = f"{HUB}/Comfy-Org/Wan_2.1_ComfyUI_repackaged/resolve/main/split_files"
Z_IMAGE = f"{HUB}/Comfy-Org/z_image_turbo/resolve/main/split_files"


def file(url: str, directory: str) -> dict[str, str]:
    """A file as a loader names it in its properties, so that the frontend offers to fetch it."""
    return {"name": url.rpartition("/")[2], "url": url, "directory": directory}


def pocket_prompt_weights(graph: Graph) -> None:
    """32: a word stronger, only in a concept's heads, and pushed away, on the pocket model."""
    note = graph.note(640)
    loader = graph.node("HRVPocketModel", model="squares")
    hrv = graph.node("HRVLoad", file="preset: pocket.safetensors")
    clip = (loader, "CLIP")
    plain = "a small red and striped square in the forest at night"
    prompt = graph.node("HRVPrompt", "HRV Prompt (no weights)", wide=380, clip=clip, text=plain)
    negative = graph.node("CLIPTextEncode", "Negative prompt", wide=380, clip=clip, text="")
    latent = graph.node("EmptyLatentImage", width=32, height=32, batch_size=8)
    columns = [[note], [loader, hrv], [prompt, negative, latent]]
    right, _ = graph.group("Model and prompt", (0, 0), columns)
    shared = {"negative": (negative, "CONDITIONING"), "latent_image": (latent, "LATENT"), **POCKET_SAMPLER}
    lower = -40
    branches: list[tuple[str, str, dict[str, Any]]] = [
        ("Plain", "", {}),
        ("A word stronger", plain.replace("striped", "(striped:3)"), {}),
        ("Stronger in its heads", plain.replace("striped", "(striped:3 Pattern)"), {"hrv": (hrv, "hrv")}),
        ("A word pushed away", plain.replace("night", "(night:-1)"), {}),
    ]
    for title, text, more in branches:
        ends: dict[str, Any] = {"model": (loader, "MODEL"), "positive": (prompt, "CONDITIONING")}
        first: list[list[Node]] = []
        if text:
            first, ends = _weighted(graph, (loader, "MODEL"), clip, text, more)
        sampler = graph.node("KSampler", f"KSampler ({title.lower()})", **ends, **shared)
        shown = see(graph, sampler, loader, title, 8.0)
        _, lower = graph.group(title, (right + 40, lower + 40), [*first, [sampler], *shown])


def _weighted(
    graph: Graph, model: Output, clip: Output, text: str, more: dict[str, Any] | None = None
) -> tuple[list[list[Node]], dict[str, Any]]:
    """HRV Prompt Weights with its report, and what a sampler takes of it."""
    node = graph.node("HRVPromptWeights", wide=400, model=model, clip=clip, text=text, **(more or {}))
    report = graph.node("PreviewAny", "What was weighted", wide=400, source=(node, "report"))
    return [[node, report]], {"model": (node, "MODEL"), "positive": (node, "CONDITIONING")}


def zimage(graph: Graph) -> None:
    """33: weights on Z-Image Turbo, where the host's own do nothing."""
    note = graph.note(560)
    unet = _unet(graph, file(f"{Z_IMAGE}/diffusion_models/z_image_turbo_bf16.safetensors", "diffusion_models"))
    clip = _clip(graph, "lumina2", file(f"{Z_IMAGE}/text_encoders/qwen_3_4b.safetensors", "text_encoders"))
    vae = _vae(graph, file(f"{Z_IMAGE}/vae/ae.safetensors", "vae"))
    shifted = graph.node("ModelSamplingAuraFlow", wide=380, model=(unet, "MODEL"), shift=3.0)
    latent = graph.node("EmptySD3LatentImage", wide=380, width=1024, height=1024, batch_size=1)
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
    note = graph.note(560)
    unet = _unet(graph, file(f"{HUB}/Comfy-Org/flux1-dev/resolve/main/flux1-dev.safetensors", "diffusion_models"))
    encoders = f"{HUB}/comfyanonymous/flux_text_encoders/resolve/main"
    files = [file(f"{encoders}/{name}.safetensors", "text_encoders") for name in ("clip_l", "t5xxl_fp16")]
    clip = graph.node(
        "DualCLIPLoader", wide=380, models=files, clip_name1=files[0]["name"], clip_name2=files[1]["name"],
        more={"type": "flux"},
    )  # fmt: skip
    vae = _vae(
        graph, file(f"{HUB}/Comfy-Org/Lumina_Image_2.0_Repackaged/resolve/main/split_files/vae/ae.safetensors", "vae")
    )
    latent = graph.node("EmptySD3LatentImage", wide=380, width=1024, height=1024, batch_size=1)
    settings: dict[str, Any] = {"seed": 1, "steps": 20, "cfg": 1.0, "sampler_name": "euler", "scheduler": "simple"}
    plain = "a quiet street in Paris with cars and people, morning fog"
    texts = [
        ("Cars pushed away", plain.replace("cars", "(cars:-1)")),
        ("Cars not seen", plain.replace("cars", "(cars:0)")),
    ]
    _two_ways(graph, note, [unet, clip, vae], (unet, "MODEL"), clip, vae, latent, plain, texts, settings)


def wan(graph: Graph) -> None:
    """35: a word's strength over the sampling of a video by Wan 2.1."""
    note = graph.note(600)
    unet = _unet(graph, file(f"{WAN}/diffusion_models/wan2.1_t2v_1.3B_fp16.safetensors", "diffusion_models"))
    clip = _clip(graph, "wan", file(f"{WAN}/text_encoders/umt5_xxl_fp8_e4m3fn_scaled.safetensors", "text_encoders"))
    vae = _vae(graph, file(f"{WAN}/vae/wan_2.1_vae.safetensors", "vae"))
    shifted = graph.node("ModelSamplingSD3", wide=380, model=(unet, "MODEL"), shift=8.0)
    latent = graph.node("EmptyHunyuanLatentVideo", wide=380, width=832, height=480, length=33, batch_size=1)
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
    return graph.node("UNETLoader", wide=380, models=[model], unet_name=model["name"])


def _clip(graph: Graph, kind: str, model: dict[str, str]) -> Node:
    return graph.node("CLIPLoader", wide=380, models=[model], clip_name=model["name"], more={"type": kind})


def _vae(graph: Graph, model: dict[str, str]) -> Node:
    return graph.node("VAELoader", wide=380, models=[model], vae_name=model["name"])


def _two_ways(
    graph: Graph, note: Node, loaders: list[Node], model: Output, clip: Node, vae: Node, latent: Node, plain: str,
    texts: list[tuple[str, str]], settings: dict[str, Any], video: bool = False,
) -> None:  # fmt: skip
    """The same seed without weights and with those of each text (title, text)."""
    prompt = graph.node("HRVPrompt", "HRV Prompt (no weights)", wide=400, clip=(clip, "CLIP"), text=plain)
    if video:
        negative = graph.node("CLIPTextEncode", "Negative prompt", wide=400, clip=(clip, "CLIP"), text="blurry, static")
    else:
        negative = graph.node("ConditioningZeroOut", wide=400, conditioning=(prompt, "CONDITIONING"))
    right, _ = graph.group("Model and prompt", (0, 0), [[note], loaders, [prompt, negative, latent]])
    shared = {"negative": (negative, "CONDITIONING"), "latent_image": (latent, "LATENT"), **settings}
    lower = -40
    for title, text in [("Plain", ""), *texts]:
        ends: dict[str, Any] = {"model": model, "positive": (prompt, "CONDITIONING")}
        first: list[list[Node]] = []
        if text:
            first, ends = _weighted(graph, model, (clip, "CLIP"), text)
        sampler = graph.node("KSampler", f"KSampler ({title.lower()})", **ends, **shared)
        decoded = graph.node("VAEDecode", wide=240, samples=(sampler, "LATENT"), vae=(vae, "VAE"))
        shown = _film(graph, decoded, title) if video else [_image(graph, decoded, title)]
        _, lower = graph.group(title, (right + 40, lower + 40), [*first, [sampler], [decoded], *shown])


def _image(graph: Graph, decoded: Node, title: str) -> list[Node]:
    return [graph.node("PreviewImage", title, wide=460, images=(decoded, "IMAGE"))]


def _film(graph: Graph, decoded: Node, title: str) -> list[list[Node]]:
    prefix = f"video/hrv_{title.partition(':')[0].lower()}"
    settings: dict[str, Any] = {"filename_prefix": prefix, "fps": 16.0, "lossless": False}
    return [[graph.node("SaveAnimatedWEBP", title, wide=460, images=(decoded, "IMAGE"), **settings)]]


PROMPT_WEIGHT_GRAPHS = {
    "32_pocket_prompt_weights": pocket_prompt_weights,
    "33_zimage_prompt_weights": zimage,
    "34_flux_push_something_away": flux,
    "35_wan_a_words_strength_over_time": wan,
}
