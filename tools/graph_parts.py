"""What several workflow graphs share: checkpoints, settings, one node that draws in several ways from one noise."""

from __future__ import annotations

from typing import Any, NamedTuple

from .litegraph import Graph
from .subgraph import Subgraph

Node = dict[str, Any]
Output = tuple[Node, str]
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


GAP = 16  # px between groups


class Way(NamedTuple):
    """One way to draw: what its sampler gets."""

    title: str
    model: Output
    positive: Output


def compare(
    graph: Graph, note: Node, loader: Node, hrv: Node, text: str | Output, side: int | None, batch: int,
    branches: list[Branch], sampler: Settings, enlarge: float | None = None, below: list[Node] | None = None,
    chosen: list[Node] | None = None, wide: int = 360,
) -> None:  # fmt: skip
    """The same prompt and seeds: as the model is, and once for each branch (title, steering node, its settings).

    side: in pixels, None for the loader's own latent; below: nodes under the loader; chosen: nodes that choose what
    the steering ones do, between these and the prompt.
    """
    prompt = graph.node("HRVPrompt", "HRV Prompt (positive)", wide=320, clip=(loader, "CLIP"), text=text)
    negative = negative_prompt(graph, loader)
    latent = empty_latent(graph, loader, side, batch)
    columns = [[note, loader, *(below or [])], [hrv, prompt, negative, latent]]
    right, _ = graph.group("Model and prompt", (0, 0), columns)
    ways = [Way("Plain", (loader, "MODEL"), (prompt, "CONDITIONING"))]
    steering = []
    for title, kind, asked in branches:
        node = graph.node(
            kind, wide=300, model=(loader, "MODEL"), positive=(prompt, "CONDITIONING"), hrv=(hrv, "hrv"), **asked
        )
        steering.append(node)
        ways.append(Way(title, (node, "MODEL"), (node, "positive")))
    between = ("What it may mean", chosen) if chosen else ("The word, steered", steering)
    right, _ = graph.group(between[0], (right + GAP, 0), [between[1]])
    ends = {"negative": (negative, "CONDITIONING"), "latent": (latent, "LATENT"), "vae": (loader, "VAE")}
    drawn, shown = draw(graph, ways, ends, sampler, enlarge, wide)
    graph.group("The same noise", (right + GAP, 0), [[*(steering if chosen else []), drawn], shown])


def draw(
    graph: Graph, ways: list[Way], ends: dict[str, Output], sampler: Settings, enlarge: float | None = None,
    wide: int = 360, latents: tuple[str, ...] = (), film: bool = False,
) -> tuple[Node, list[Node]]:  # fmt: skip
    """One node that draws in all ways with the same settings, and a preview for each.

    ends: negative, latent and vae of all; latents: titles of ways whose latent is wanted too, as "TITLE (latent)";
    wide: width of the previews, 0 for none; film: frames are shown as a film, which is saved.
    """
    part = Subgraph("Draw", graph.object_info, graph.name)
    samplers = {way.title: part.node("KSampler", f"KSampler ({way.title.lower()})", **sampler) for way in ways}
    decoded = {title: decode(part, node, enlarge) for title, node in samplers.items()}
    part.group("One noise, one set of settings", (0, 0), [[node, *decoded[title]] for title, node in samplers.items()])
    links = dict(ends)
    for number, way in enumerate(ways, start=1):
        for name, source in (("model", way.model), ("positive", way.positive)):
            part.enter(f"{name} {number}", (samplers[way.title], name))
            links[f"{name} {number}"] = source
    part.enter("negative", *((node, "negative") for node in samplers.values()))
    part.enter("latent", *((node, "latent_image") for node in samplers.values()))
    part.enter("vae", *((nodes[0], "vae") for nodes in decoded.values()))
    settings(part, list(samplers.values()))
    for title, nodes in decoded.items():
        part.leave(title, nodes[-1], "IMAGE")
    for title in latents:
        part.leave(f"{title} (latent)", samplers[title], "LATENT")
    drawn = graph.place(part, 280, **links)
    if not wide:
        return drawn, []
    show = _film if film else _image
    return drawn, [show(graph, way.title, wide, (drawn, way.title)) for way in ways]


def _image(graph: Graph, title: str, wide: int, images: Output) -> Node:
    return graph.node("PreviewImage", title, wide=wide, images=images)


def _film(graph: Graph, title: str, wide: int, images: Output) -> Node:
    prefix = f"video/hrv_{title.partition(':')[0].lower()}"
    more: Settings = {"filename_prefix": prefix, "fps": 16.0, "lossless": False}
    return graph.node("SaveAnimatedWEBP", title, wide=wide, images=images, **more)


def built(graph: Graph, build: Node, concepts: str, wide: int = 300) -> list[Node]:
    """Heat map and report of a build, in a column."""
    heatmap = graph.node("HRVHeatmap", "Heat map", wide=wide, hrv=(build, "hrv"), concept=concepts)
    report = graph.node("PreviewAny", "Report", wide=wide, source=(build, "report"))
    return [heatmap, report]


def voted(
    graph: Graph, loader: Node, presets: tuple[str, str], asked: Settings, shown: str = "steps draws seed"
) -> Node:
    """HRV Build with its concepts and prompts (presets of both) in one node."""
    part = Subgraph("Heads vote", graph.object_info, graph.name)
    concepts = part.node("HRVConcepts", wide=340, preset=presets[0])
    prompts = part.node("HRVPromptSet", wide=340, preset=presets[1])
    links: Settings = {"concepts": (concepts, "concepts"), "prompts": (prompts, "prompts")}
    build = part.node("HRVBuild", wide=340, **links, **asked)
    part.group("Heads vote", (0, 0), [[concepts, prompts], [build]])
    for name in ("model", "clip"):
        part.enter(name, (build, name))
    part.enter("concepts", (concepts, "preset"))
    part.enter("prompts", (prompts, "preset"))
    settings(part, [build], shown)
    part.leave("hrv", build, "hrv")
    return graph.place(part, 320, model=(loader, "MODEL"), clip=(loader, "CLIP"))


def decode(graph: Graph, sampler: Node, enlarge: float | None, **links: Any) -> list[Node]:
    """The nodes that make an image of a sampler's latent; the last gives it."""
    decoded = graph.node("VAEDecode", samples=(sampler, "LATENT"), **links)
    if not enlarge:
        return [decoded]
    scaled: Settings = {"upscale_method": "nearest-exact", "scale_by": enlarge}
    return [decoded, graph.node("ImageScaleBy", image=(decoded, "IMAGE"), **scaled)]


def settings(part: Subgraph, samplers: list[Node], names: str = "seed steps cfg sampler_name scheduler") -> None:
    """Settings of samplers as widgets of the node they are in."""
    for name in names.split():
        part.enter(name, *((node, name) for node in samplers))


def negative_prompt(graph: Graph, loader: Node, wide: int = 320) -> Node:
    """An empty negative prompt."""
    node = graph.node("CLIPTextEncode", "Negative prompt", wide=wide, clip=(loader, "CLIP"), text="")
    node["size"][1] -= 50  # room for a line
    return node


def empty_latent(graph: Graph, loader: Node, side: int | None, batch: int) -> Node:
    """An empty latent of square images; side None: as many of the pocket model's own, which fit whichever it is."""
    if side is None:
        return graph.node("RepeatLatentBatch", "Images", samples=(loader, "LATENT"), amount=batch)
    return graph.node("EmptyLatentImage", width=side, height=side, batch_size=batch)
