"""The graphs that edit images: Prompt-to-Prompt with HRVs and the methods it is compared with (10 to 18)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from .graph_parts import DRAWINGS_BY_EFFECT, POCKET_SAMPLER, SD15, SD_SAMPLER, SDXL, Branch, Node, Settings
from .litegraph import Graph

PLAIN: Branch = ("Same noise, nothing kept", "HRVP2PEdit", {"cross_replace": 0.0, "self_replace": 0.0})
P2P: Branch = ("Prompt-to-Prompt", "HRVP2PEdit", {})
TARGETS = {  # number: (concept, source, target)
    "11_sd15_p2p_hrv_color": ("Color", "a blue car", "a red car"),
    "12_sd15_p2p_hrv_material": ("Material", "a bowl made of wood", "a bowl made of glass"),
    "13_sd15_p2p_hrv_pattern": (
        "Geometric Patterns", "a T-shirt with a polka-dot pattern", "a T-shirt with a leopard pattern",
    ),
    "14_sd15_p2p_hrv_style": (
        "Image Style", "a watercolor style painting of a castle", "a sepia style painting of a castle",
    ),
    "15_sd15_p2p_hrv_weather": ("Weather Conditions", "a frog on a sunny day", "a frog on a snowy day"),
}  # fmt: skip


class Ends(NamedTuple):
    """What further nodes connect to, and the place below all groups."""

    source: Node
    target: Node
    negative: Node
    latent: Node
    below: tuple[int, int]


def with_hrv(concept: str, **more: Any) -> Branch:
    """Prompt-to-Prompt whose edited word acts through the heads of a concept."""
    return "Prompt-to-Prompt with HRV", "HRVP2PEdit", {"concept": concept, **more}


def pocket_edit(graph: Graph) -> None:
    """10: a blue thing becomes red and stays the same thing, on the pocket model."""
    note = graph.note(560)
    loader = graph.node("HRVPocketModel")
    hrv = graph.node("HRVLoad", file=DRAWINGS_BY_EFFECT)
    branches: list[Branch] = [PLAIN, ("Prompt-to-Prompt", "HRVP2PEdit", {"self_limit": "all"})]
    branches.append(with_hrv("Color", self_limit="all"))  # all its maps are as small as the published limit asks
    edits(
        graph,
        note,
        loader,
        hrv,
        ("a blue guitar in the snow", "a red guitar in the snow"),
        None,
        6,
        branches,
        POCKET_SAMPLER,
        enlarge=4.0,
    )


def sd15_edit(name: str) -> Callable[[Graph], None]:
    """11 to 15: one editing target of the paper on SD1.5."""
    concept, source, target = TARGETS[name]

    def draw(graph: Graph) -> None:
        note = graph.note(620)
        loader = graph.node("CheckpointLoaderSimple", models=[SD15], wide=380, ckpt_name=SD15["name"])
        hrv = graph.node("HRVLoad", file="sd15_paper34.safetensors")
        branches = [PLAIN, P2P, with_hrv(concept)]
        edits(graph, note, loader, hrv, (source, target), 512, 1, branches, SD_SAMPLER | {"steps": 50, "seed": 10})

    return draw


def side_by_side(graph: Graph) -> None:
    """16: every editing method on the same pair and noise, SDEdit from the drawn source."""
    note = graph.note(640)
    loader = graph.node("CheckpointLoaderSimple", models=[SD15], wide=380, ckpt_name=SD15["name"])
    hrv = graph.node("HRVLoad", file="sd15_paper34.safetensors")
    branches: list[Branch] = [
        P2P,
        ("Plug-and-Play", "HRVPlugAndPlayEdit", {}),
        ("MasaCtrl", "HRVMasaCtrlEdit", {}),
        ("Free-Prompt-Editing", "HRVFreePromptEdit", {}),
        with_hrv("Color"),
    ]
    sampler = SD_SAMPLER | {"steps": 50, "seed": 10}
    ends = edits(graph, note, loader, hrv, ("a blue car", "a red car"), 512, 1, branches, sampler)
    shared: Settings = {"model": (loader, "MODEL"), "negative": (ends.negative, "CONDITIONING")}
    plain = graph.node(
        "KSampler", "KSampler (source)", positive=(ends.source, "CONDITIONING"),
        latent_image=(ends.latent, "LATENT"), **shared, **sampler,
    )  # fmt: skip
    again: Settings = sampler | {"steps": 40, "denoise": 0.8, "seed": 11}
    redrawn = graph.node(
        "KSampler", "KSampler (SDEdit: denoise 0.8)", positive=(ends.target, "CONDITIONING"),
        latent_image=(plain, "LATENT"), **shared, **again,
    )  # fmt: skip
    decoded = graph.node("VAEDecode", wide=240, samples=(redrawn, "LATENT"), vae=(loader, "VAE"))
    preview = graph.node("PreviewImage", "SDEdit", wide=460, images=(decoded, "IMAGE"))
    graph.group("SDEdit", ends.below, [[plain], [redrawn], [decoded], [preview]])


def sdxl_edit(graph: Graph) -> None:
    """17: a car recoloured on SDXL, clamped."""
    note = graph.note(560)
    loader = graph.node("CheckpointLoaderSimple", models=[SDXL], wide=380, ckpt_name=SDXL["name"])
    hrv = graph.node("HRVLoad", file="sdxl_paper34.safetensors")
    branches = [P2P, with_hrv("Color", clamp=9.0)]
    edits(graph, note, loader, hrv, ("a blue car", "a red car"), 1024, 1, branches, SD_SAMPLER | {"seed": 10})


def real_image(graph: Graph) -> None:
    """18: a photograph, inverted, and edited by Prompt-to-Prompt with HRVs and by Plug-and-Play."""
    note = graph.note(680)
    loader = graph.node("CheckpointLoaderSimple", models=[SD15], wide=380, ckpt_name=SD15["name"])
    hrv = graph.node("HRVLoad", file="sd15_paper34.safetensors")
    image = graph.node("LoadImage", wide=320, image="example.png")
    scaled = graph.node(
        "ImageScale", wide=320, image=(image, "IMAGE"), upscale_method="lanczos", width=512, height=512, crop="center"
    )
    encoded = graph.node("VAEEncode", wide=240, pixels=(scaled, "IMAGE"), vae=(loader, "VAE"))
    branches: list[Branch] = [with_hrv("Color"), ("Plug-and-Play", "HRVPlugAndPlayEdit", {})]
    sampler = SD_SAMPLER | {"steps": 50}
    texts = ("a photo of a blue car", "a photo of a red car")
    edits(graph, note, loader, hrv, texts, 512, 1, branches, sampler, encoded=[image, scaled, encoded])


def edits(
    graph: Graph, note: Node, loader: Node, hrv: Node, texts: tuple[str, str], side: int | None, seeds: int,
    branches: list[Branch], sampler: dict[str, Any], enlarge: float | None = None, encoded: list[Node] | None = None,
) -> Ends:  # fmt: skip
    """Source and target prompts, and a row of nodes for each branch (title, editing node, its settings).

    side: in pixels, None for the loader's own latent; encoded: nodes that end in the encoded image to edit, instead of
    an empty latent.
    """
    source, target = (
        graph.node("HRVPrompt", f"HRV Prompt ({name})", wide=380, clip=(loader, "CLIP"), text=text)
        for name, text in zip(("source", "target"), texts, strict=True)
    )
    negative = graph.node("CLIPTextEncode", "Negative prompt", wide=380, clip=(loader, "CLIP"), text="")
    columns = [[note], [loader, hrv], [source, target, negative]]
    if encoded:
        columns.append(encoded)
        steps: Settings = {name: sampler[name] for name in ("steps", "scheduler")}
        latent = graph.node(
            "HRVDDIMInvert", wide=320, model=(loader, "MODEL"), source=(source, "CONDITIONING"),
            latent=(encoded[-1], "LATENT"), **steps,
        )  # fmt: skip
        report = graph.node("PreviewAny", "Inversion", wide=320, source=(latent, "report"))
        columns.append([latent, report])
    elif side is None:
        latent = loader
    else:
        latent = graph.node("EmptyLatentImage", "One image", width=side, height=side, batch_size=1)
        columns[1].append(latent)
    right, _ = graph.group("Model and prompts", (0, 0), columns)
    top = 0
    for title, kind, asked in branches:
        values: dict[str, Any] = {"seeds": seeds, **asked}
        if "concept" in asked:
            values["hrv"] = (hrv, "hrv")
        edit = graph.node(
            kind, title if kind == "HRVP2PEdit" else None, wide=340, model=(loader, "MODEL"),
            source=(source, "CONDITIONING"), target=(target, "CONDITIONING"), latent=(latent, "LATENT"), **values,
        )  # fmt: skip
        drawn = graph.node(
            "KSampler", f"KSampler ({title})", model=(edit, "MODEL"), positive=(edit, "positive"),
            negative=(negative, "CONDITIONING"), latent_image=(edit, "LATENT"), **sampler,
        )  # fmt: skip
        decoded = graph.node("VAEDecode", wide=240, samples=(drawn, "LATENT"), vae=(loader, "VAE"))
        shown, row = decoded, [[edit], [drawn], [decoded]]
        if enlarge:
            shown = graph.node(
                "ImageScaleBy", wide=240, image=(decoded, "IMAGE"), upscale_method="nearest-exact", scale_by=enlarge
            )
            row.append([shown])
        row.append([graph.node("PreviewImage", title, wide=460, images=(shown, "IMAGE"))])
        _, bottom = graph.group(title, (right + 40, top), row)
        top = bottom + 40
    return Ends(source, target, negative, latent, (right + 40, top))


EDITING_GRAPHS: dict[str, Callable[[Graph], None]] = {
    "10_pocket_p2p_hrv": pocket_edit,
    **{name: sd15_edit(name) for name in TARGETS},
    "16_sd15_edit_methods_side_by_side": side_by_side,
    "17_sdxl_p2p_hrv": sdxl_edit,
    "18_edit_a_real_image": real_image,
}
