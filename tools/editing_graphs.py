"""The graphs that edit images: Prompt-to-Prompt with HRVs and the methods it is compared with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from .graph_parts import (
    DRAWINGS_BY_EFFECT,
    GAP,
    POCKET_SAMPLER,
    SD15,
    SD_SAMPLER,
    SDXL,
    Branch,
    Node,
    Output,
    Settings,
    decode,
    negative_prompt,
    settings,
)
from .litegraph import Graph
from .subgraph import Subgraph

PLAIN: Branch = ("Same noise, nothing kept", "HRVP2PEdit", {"cross_replace": 0.0, "self_replace": 0.0})
P2P: Branch = ("Prompt-to-Prompt", "HRVP2PEdit", {})
OTHERS: list[Branch] = [
    P2P,
    ("Plug-and-Play", "HRVPlugAndPlayEdit", {}),
    ("MasaCtrl", "HRVMasaCtrlEdit", {}),
    ("Free-Prompt-Editing", "HRVFreePromptEdit", {}),
]


class Prompts(NamedTuple):
    """What the methods of an editing graph are given."""

    source: Node
    target: Node
    negative: Node
    latent: Node
    right: int  # edge of their group


def with_hrv(concept: str | Output, **more: Any) -> Branch:
    """Prompt-to-Prompt whose edited word acts through the heads of a concept."""
    return "Prompt-to-Prompt with HRV", "HRVP2PEdit", {"concept": concept, **more}


def pocket_edit(graph: Graph) -> None:
    """A blue thing becomes red and stays the same thing, on the pocket model."""
    note = graph.note(420)
    loader = graph.node("HRVPocketModel", wide=340)
    hrv = graph.node("HRVLoad", wide=340, file=DRAWINGS_BY_EFFECT)
    branches: list[Branch] = [PLAIN, ("Prompt-to-Prompt", "HRVP2PEdit", {"self_limit": "all"})]
    branches.append(with_hrv("Color", self_limit="all"))  # all its maps are as small as the published limit asks
    texts = ("a blue guitar in the snow", "a red guitar in the snow")
    edits(graph, [[note, loader, hrv]], loader, hrv, texts, None, 6, branches, POCKET_SAMPLER, enlarge=4.0)


def sd15_edit(graph: Graph) -> None:
    """The five editing targets of the paper on SD1.5, one at a time."""
    columns, loader, hrv = _checkpoint(graph, SD15, "sd15_paper34")
    chosen = graph.node("HRVEditingPrompts", wide=340, pair=30, more={"target": "editing: Color"})
    texts = ((chosen, "source"), (chosen, "target"))
    branches = [P2P, with_hrv((chosen, "concept"))]
    edits(graph, [*columns, [chosen]], loader, hrv, texts, 512, 1, branches, SD_SAMPLER | {"steps": 50, "seed": 10})


def side_by_side(graph: Graph) -> None:
    """Every editing method on the same pair and noise, SDEdit from the drawn source."""
    columns, loader, hrv = _checkpoint(graph, SD15, "sd15_paper34")
    sampler: Settings = SD_SAMPLER | {"steps": 50, "seed": 10}
    prompts = prompts_of(graph, columns, loader, ("a blue car", "a red car"), 512)
    part = methods("Six editing methods", graph, [*OTHERS, with_hrv("Color")], 1, sampler, sdedit=True)
    drawn = graph.place(part, 300, **links_of(prompts, loader), hrv=(hrv, "hrv"))
    shown = [graph.node("PreviewImage", out["name"], images=(drawn, out["name"])) for out in drawn["outputs"]]
    graph.group("The same noise", (prompts.right + GAP, 0), [[drawn], shown[:3], shown[3:]])


def methods(
    title: str, graph: Graph, branches: list[Branch], seeds: int, sampler: Settings, sdedit: bool = False
) -> Subgraph:
    """Several editing methods from one noise, the last of them through HRVs, in one node with an image of each."""
    part = Subgraph(title, graph.object_info, graph.name)
    rows = [_edited(part, branch, seeds, sampler, None) for branch in branches]
    ways, samplers, shown = map(list, zip(*rows, strict=True))
    more: list[Node] = []
    if sdedit:
        plain = part.node("KSampler", "KSampler (source)", **sampler)
        again: Settings = sampler | {"steps": 40, "denoise": 0.8, "seed": 11}
        more = [plain, part.node("KSampler", "KSampler (SDEdit: denoise 0.8)", latent_image=(plain, "LATENT"), **again)]
        shown += decode(part, more[-1], None)
    part.group(title, (0, 0), [*rows, *([[*more, shown[-1]]] if more else [])])
    part.enter("model", *((node, "model") for node in [*ways, *more]))
    part.enter("source", *((node, "source") for node in ways), *((node, "positive") for node in more[:1]))
    part.enter("target", *((node, "target") for node in ways), *((node, "positive") for node in more[1:]))
    part.enter("negative", *((node, "negative") for node in [*samplers, *more]))
    part.enter("latent", *((node, "latent") for node in ways), *((node, "latent_image") for node in more[:1]))
    part.enter("vae", *((node, "vae") for node in shown))
    part.enter("hrv", (ways[-1], "hrv"))
    part.enter("concept", (ways[-1], "concept"))
    settings(part, [*samplers, *more[:1]], "seed")
    for (name, _, _), node in zip([*branches, ("SDEdit", "", {})], shown, strict=False):
        part.leave(name, node, "IMAGE")
    return part


def sdxl_edit(graph: Graph) -> None:
    """A car recoloured on SDXL, clamped."""
    columns, loader, hrv = _checkpoint(graph, SDXL, "sdxl_paper34")
    branches = [P2P, with_hrv("Color", clamp=9.0)]
    edits(graph, columns, loader, hrv, ("a blue car", "a red car"), 1024, 1, branches, SD_SAMPLER | {"seed": 10})


def real_image(graph: Graph) -> None:
    """A photograph, inverted, and edited by Prompt-to-Prompt with HRVs and by Plug-and-Play."""
    columns, loader, hrv = _checkpoint(graph, SD15, "sd15_paper34")
    image = graph.node("LoadImage", wide=320, image="example.png")
    scaled = graph.node(
        "ImageScale", wide=320, image=(image, "IMAGE"), upscale_method="lanczos", width=512, height=512, crop="center"
    )
    encoded = graph.node("VAEEncode", wide=320, pixels=(scaled, "IMAGE"), vae=(loader, "VAE"))
    branches: list[Branch] = [with_hrv("Color"), ("Plug-and-Play", "HRVPlugAndPlayEdit", {})]
    texts = ("a photo of a blue car", "a photo of a red car")
    photo = [image, scaled, encoded]
    edits(graph, columns, loader, hrv, texts, 512, 1, branches, SD_SAMPLER | {"steps": 50}, photo=photo)


def _checkpoint(graph: Graph, model: dict[str, str], vectors: str) -> tuple[list[list[Node]], Node, Node]:
    """A column of the note, a checkpoint and its vectors; and the latter two."""
    note = graph.note(420)
    loader = graph.node("CheckpointLoaderSimple", models=[model], wide=340, ckpt_name=model["name"])
    hrv = graph.node("HRVLoad", wide=340, file=f"{vectors}.safetensors")
    return [[note, loader, hrv]], loader, hrv


def edits(
    graph: Graph, columns: list[list[Node]], loader: Node, hrv: Node, texts: tuple[str | Output, str | Output],
    side: int | None, seeds: int, branches: list[Branch], sampler: Settings, enlarge: float | None = None,
    photo: list[Node] | None = None,
) -> list[Node]:  # fmt: skip
    """Source and target prompts, and one node with its preview for each branch (title, editing node, its settings).

    columns: of nodes that stand left of the prompts; side: in pixels, None for the loader's own latent; photo: nodes
    that end in the encoded image to edit, instead of an empty latent. Returns the nodes of the branches.
    """
    prompts = prompts_of(graph, columns, loader, texts, side, photo, sampler)
    right, made = prompts.right, []
    for branch in branches:
        title, kind, asked = branch
        part = Subgraph(title, graph.object_info, graph.name)
        linked = {name: value for name, value in asked.items() if isinstance(value, tuple)}
        plain = {name: value for name, value in asked.items() if name not in linked}
        edit, drawn, *shown = _edited(part, (title, kind, plain), seeds, sampler, enlarge)
        part.group(title, (0, 0), [[edit], [drawn], shown])
        for name in ("model", "source", "target", "latent"):
            part.enter(name, (edit, name))
        part.enter("negative", (drawn, "negative"))
        part.enter("vae", (shown[0], "vae"))
        links = links_of(prompts, loader) | linked
        if "concept" in asked:
            part.enter("hrv", (edit, "hrv"))
            part.enter("concept", (edit, "concept"))
            links["hrv"] = (hrv, "hrv")
        for name in ("cross_replace", "self_replace") if kind == "HRVP2PEdit" else ():
            part.enter(name, (edit, name))
        settings(part, [drawn], "seed steps cfg")
        part.leave("IMAGE", shown[-1], "IMAGE")
        made.append(graph.place(part, 300, **links))
        preview = graph.node("PreviewImage", title, wide=300, images=(made[-1], "IMAGE"))
        right, _ = graph.group(title, (right + GAP, 0), [[made[-1], preview]])
    return made


def _edited(part: Subgraph, branch: Branch, seeds: int, sampler: Settings, enlarge: float | None) -> list[Node]:
    """An editing node, its sampler, and what makes images of it."""
    title, kind, asked = branch
    edit = part.node(kind, title if kind == "HRVP2PEdit" else None, wide=340, seeds=seeds, **asked)
    ends: dict[str, Any] = {"model": (edit, "MODEL"), "positive": (edit, "positive"), "latent_image": (edit, "LATENT")}
    drawn = part.node("KSampler", f"KSampler ({title})", **ends, **sampler)
    return [edit, drawn, *decode(part, drawn, enlarge)]


def prompts_of(
    graph: Graph, columns: list[list[Node]], loader: Node, texts: tuple[str | Output, str | Output], side: int | None,
    photo: list[Node] | None = None, sampler: Settings | None = None,
) -> Prompts:  # fmt: skip
    """Source and target prompts beside what stands left of them, and what is drawn or inverted."""
    source, target = (
        graph.node("HRVPrompt", f"HRV Prompt ({name})", wide=320, clip=(loader, "CLIP"), text=text)
        for name, text in zip(("source", "target"), texts, strict=True)
    )
    for node, text in zip((source, target), texts, strict=True):
        node["size"][1] -= 60 if isinstance(text, tuple) else 30
    negative = negative_prompt(graph, loader)
    column = [source, target, negative]
    latent = loader
    if photo:
        assert sampler is not None  # noise is found at the levels that the edit is drawn with
        steps: Settings = {name: sampler[name] for name in ("steps", "scheduler")}
        latent = graph.node(
            "HRVDDIMInvert", wide=320, model=(loader, "MODEL"), source=(source, "CONDITIONING"),
            latent=(photo[-1], "LATENT"), **steps,
        )  # fmt: skip
        report = graph.node("PreviewAny", "Inversion", wide=320, source=(latent, "report"))
        columns = [*columns, [photo[0], *column]]
        column = [*photo[1:], latent, report]
    elif side is not None:
        latent = graph.node("EmptyLatentImage", "One image", wide=320, width=side, height=side, batch_size=1)
        column.append(latent)
    right, _ = graph.group("Model and prompts", (0, 0), [*columns, column])
    return Prompts(source, target, negative, latent, right)


def links_of(prompts: Prompts, loader: Node) -> dict[str, Output]:
    """What every editing method is given."""
    texts = {name: (getattr(prompts, name), "CONDITIONING") for name in ("source", "target", "negative")}
    return {"model": (loader, "MODEL"), "vae": (loader, "VAE"), "latent": (prompts.latent, "LATENT"), **texts}


EDITING_GRAPHS: dict[str, Callable[[Graph], None]] = {
    "13 Edit by prompt": pocket_edit,
    "14 SD1.5 - five ways to edit": sd15_edit,
    "15 SDXL - edit by prompt": sdxl_edit,
    "16 SD1.5 - edit a photograph": real_image,
    "17 SD1.5 - six editing methods side by side": side_by_side,
}
