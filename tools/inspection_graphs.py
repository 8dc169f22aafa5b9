"""The graphs that look into a model: ordered weakening, measured, and everything one can see of an HRV (06 to 09)."""

from __future__ import annotations

from typing import Any

from .graph_parts import CLIP, DRAWINGS_BY_EFFECT, POCKET_SAMPLER, SD15, SD_SAMPLER, SDXL, Branch, Node, compare
from .litegraph import Graph


def pocket_weaken(graph: Graph) -> None:
    """06: the most and the least relevant heads of Color weakened, beside the plain images, and measured."""
    note = graph.note(600)
    loader = graph.node("HRVPocketModel")
    hrv = graph.node("HRVLoad", file=DRAWINGS_BY_EFFECT)
    heads = {"concept": "Color", "heads": 12}
    branches: list[Branch] = [
        ("Most relevant heads weakened", "HRVWeaken", {**heads, "order": "MoRHF"}),
        ("Least relevant heads weakened", "HRVWeaken", {**heads, "order": "LeRHF"}),
    ]
    text = "a red car in the desert"
    prompt, negative, middle = compare(graph, note, loader, hrv, text, None, 4, branches, POCKET_SAMPLER, enlarge=4.0)
    settings = {"heads": "0, 3, 6, 12, 24, 48, 128", "orders": "MoRHF, LeRHF, random:1, random:1:reversed"}
    ends = {"model": loader, "hrv": hrv, "vae": loader, "negative": negative, "latent": loader}
    sampler = POCKET_SAMPLER | {"steps": 10}
    sweep = _sweep(graph, ends, (prompt, "CONDITIONING"), settings | {"batch_size": 14}, sampler)
    shown = graph.node("PreviewImage", "Sheet", wide=760, images=(sweep, "sheet"))
    left = prompt["pos"][0] + 460
    _, lower = graph.group("More and more heads", (left, middle + 40), [[sweep], [shown]])
    asked = {"experiment": "drawings_weakening: Color", "prompts": 4}
    scorer = graph.node("HRVPocketScorer")
    _measured(graph, (left, lower + 40), ends, scorer, asked, settings | {"batch_size": 14}, sampler)


def sd15_weaken(graph: Graph) -> None:
    """07: the paper's experiment Color on SD1.5: sheet, CLIP scores, curve."""
    note = graph.note(660)
    loader = graph.node("CheckpointLoaderSimple", models=[SD15], wide=380, ckpt_name=SD15["name"])
    negative = graph.node("CLIPTextEncode", "Negative prompt", wide=380, clip=(loader, "CLIP"), text="")
    _paper(graph, note, loader, negative, (negative, "CONDITIONING"), "sd15_paper34", 512, 4)


def sdxl_weaken(graph: Graph) -> None:
    """08: the same on SDXL, with zeros for the negative prompt as in the paper."""
    note = graph.note(660)
    loader = graph.node("CheckpointLoaderSimple", models=[SDXL], wide=380, ckpt_name=SDXL["name"])
    empty = graph.node("CLIPTextEncode", "Negative prompt", wide=380, clip=(loader, "CLIP"), text="")
    zero = graph.node("ConditioningZeroOut", wide=380, conditioning=(empty, "CONDITIONING"))
    _paper(graph, note, loader, empty, (zero, "CONDITIONING"), "sdxl_paper34", 1024, 2, [zero])


def see_inside(graph: Graph) -> None:
    """09: every view of an HRV, and where words look."""
    note = graph.note(640)
    loader = graph.node("HRVPocketModel", model="squares")
    shipped = graph.node("HRVLoad", file="preset: pocket.safetensors")
    concepts = graph.node("HRVConcepts", wide=380, preset="pocket")
    prompts = graph.node("HRVPromptSet", wide=380, preset="pocket_quick")
    right, lower = graph.group("Model and vectors", (0, 0), [[note], [loader, shipped, concepts, prompts]])
    hrv = (shipped, "hrv")

    views: list[tuple[str, str, dict[str, Any]]] = [
        ("HRVHeatmap", "Which heads carry a concept", {"concept": "Color, Shape, Scene"}),
        ("HRVSimilarity", "Which concepts share heads", {"of": "concepts"}),
        ("HRVHeadConcepts", "Which concept is this head", {}),
    ]
    columns = [_seen(graph, kind, title, {"hrv": hrv, **values}) for kind, title, values in views]
    top = graph.node("HRVTopHeads", wide=420, hrv=hrv, concept="Color, Fruit", count=5)
    report = graph.node("HRVReport", wide=420, hrv=hrv, model=(loader, "MODEL"))
    texts = [graph.node("PreviewAny", "Top heads", wide=420, source=(top, "text"))]
    texts.append(graph.node("PreviewAny", "Report", wide=420, source=(report, "text")))
    _, below = graph.group("The vectors that ship with the model", (right + 40, 0), [*columns, [top, report], texts])

    build = graph.node(
        "HRVBuild", model=(loader, "MODEL"), clip=(loader, "CLIP"), concepts=(concepts, "concepts"),
        prompts=(prompts, "prompts"), width=32, height=32, batch_size=16, draws=4, per_timestep=True,
        logit_scale=True, save_as="pocket_timesteps", **POCKET_SAMPLER,
    )  # fmt: skip
    built = (build, "hrv")
    views = [
        ("HRVTSNE", "Concepts over time", {"hrv": built}),
        ("HRVSimilarity", "Timesteps", {"hrv": built, "of": "timesteps"}),
        ("HRVLogitScale", "How strongly heads attend", {"hrv": built}),
        ("HRVCompare", "16 pictures against 96", {"hrv": built, "other": hrv}),
    ]
    columns = [_seen(graph, kind, title, values) for kind, title, values in views]
    _, below = graph.group("A quick build with timesteps", (right + 40, below + 40), [[build], *columns])

    prompt = graph.node(
        "HRVPrompt", "HRV Prompt (positive)", wide=380, clip=(loader, "CLIP"), text="a red star in the desert"
    )
    negative = graph.node("CLIPTextEncode", "Negative prompt", wide=380, clip=(loader, "CLIP"), text="")
    latent = graph.node("EmptyLatentImage", width=32, height=32, batch_size=2)
    maps = graph.node(
        "HRVTokenMaps", model=(loader, "MODEL"), positive=(prompt, "CONDITIONING"), wide=340,
        negative=(negative, "CONDITIONING"), latent_image=(latent, "LATENT"), words="red, star, desert",
        **POCKET_SAMPLER,
    )  # fmt: skip
    decoded = graph.node("VAEDecode", wide=240, samples=(maps, "LATENT"), vae=(loader, "VAE"))
    large = graph.node("ImageScaleBy", wide=240, image=(decoded, "IMAGE"), upscale_method="nearest-exact", scale_by=8.0)
    shared = {"token_maps": (maps, "token_maps"), "image": (large, "IMAGE"), "hrv": hrv}
    every = _seen(graph, "HRVTokenMapView", "All heads", shared)
    through = {**shared, "word": "red", "view": "weighted by concept", "concept": "Color"}
    color = _seen(graph, "HRVTokenMapView", "Red, through the heads of Color", through)
    graph.group(
        "Where words look",
        (right + 40, below + 40),
        [[prompt, negative, latent], [maps], [decoded, large], every, color],
    )


def _seen(graph: Graph, kind: str, title: str, values: dict[str, Any]) -> list[Node]:
    """A figure node above its preview."""
    node = graph.node(kind, wide=420, **values)
    return [node, graph.node("PreviewImage", title, wide=420, images=(node, "IMAGE"))]


def _paper(
    graph: Graph, note: Node, loader: Node, below: Node, negative: tuple[Node, str], vectors: str, side: int,
    at_once: int, more: list[Node] | None = None,
) -> None:  # fmt: skip
    """An experiment of the paper on a checkpoint: prompts as a list, sweeps, CLIP scores, one curve."""
    hrv = graph.node("HRVLoad", file=f"{vectors}.safetensors")
    latent = graph.node("EmptyLatentImage", "One image", width=side, height=side, batch_size=1)
    scorer = graph.node("HRVCLIPScorer", models=[CLIP], wide=380, file=CLIP["name"])
    columns = [[note], [loader, hrv, below, *(more or [])], [latent, scorer]]
    right, _ = graph.group("Model, vectors and scorer", (0, 0), columns)
    ends = {"model": loader, "hrv": hrv, "vae": loader, "negative": negative[0], "latent": latent}
    settings = {"heads": "paper", "orders": "MoRHF, LeRHF", "batch_size": at_once}
    asked = {"experiment": "ordered_weakening: Color", "prompts": 5, "seeds": "10"}
    sampler = {**SD_SAMPLER, "steps": 50}
    _measured(graph, (right + 40, 0), ends, scorer, asked, settings, sampler, show_sheet=True)


def _sweep(
    graph: Graph, ends: dict[str, Node], positive: tuple[Node, str], settings: dict[str, Any], sampler: dict[str, Any],
    **links: Any,
) -> Node:  # fmt: skip
    values = {"concept": "Color", **settings, **sampler, **links}
    return graph.node(
        "HRVWeakenSweep", wide=360, model=(ends["model"], "MODEL"), positive=positive, hrv=(ends["hrv"], "hrv"),
        negative=(ends["negative"], "CONDITIONING"), vae=(ends["vae"], "VAE"), latent_image=(ends["latent"], "LATENT"),
        **values,
    )  # fmt: skip


def _measured(
    graph: Graph, at: tuple[int, int], ends: dict[str, Node], scorer: Node, asked: dict[str, Any],
    settings: dict[str, Any], sampler: dict[str, Any], show_sheet: bool = False,
) -> None:  # fmt: skip
    """Prompts as a list -> sweep -> score -> one curve."""
    experiment = graph.node("HRVWeakeningPrompts", wide=360, **asked)
    prompt = graph.node("HRVPrompt", "Each prompt", wide=360, clip=(ends["model"], "CLIP"), text=(experiment, "text"))
    links = {"seed": (experiment, "seed"), "concept": (experiment, "concept")}
    sweep = _sweep(
        graph, ends, (prompt, "CONDITIONING"), settings, {k: v for k, v in sampler.items() if k != "seed"}, **links
    )
    score = graph.node(
        "HRVScoreImages", wide=320, images=(sweep, "images"), scorer=(scorer, "scorer"), word=(experiment, "word"),
        table=(sweep, "table"),
    )  # fmt: skip
    curve = graph.node("HRVWeakenCurve", wide=360, table=(score, "table"), more={"title": (experiment, "concept")})
    preview = graph.node("PreviewImage", "Curve", wide=560, images=(curve, "IMAGE"))
    areas = graph.node("PreviewAny", "Areas", wide=360, source=(curve, "areas"))
    first = [experiment, prompt] if show_sheet else [experiment, prompt, scorer]
    sheets = [graph.node("PreviewImage", "Sheets", wide=760, images=(sweep, "sheet"))] if show_sheet else []
    graph.group("Measured over several prompts", at, [first, [sweep], [score, curve, areas], [preview, *sheets]])
