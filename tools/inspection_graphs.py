"""The graphs that look into a model: ordered weakening, measured, and everything one can see of an HRV."""

from __future__ import annotations

from typing import Any

from .graph_parts import (
    CLIP,
    DRAWINGS_BY_EFFECT,
    GAP,
    POCKET_SAMPLER,
    SD15,
    SD_SAMPLER,
    SDXL,
    Branch,
    Node,
    Output,
    compare,
    decode,
    empty_latent,
    negative_prompt,
    voted,
)
from .litegraph import Graph
from .subgraph import Subgraph

WEAKENED = "a red car in the desert"


def pocket_weaken(graph: Graph) -> None:
    """The most and the least relevant heads of Color weakened, beside the plain images."""
    note = graph.note(420)
    loader = graph.node("HRVPocketModel", wide=340)
    hrv = graph.node("HRVLoad", file=DRAWINGS_BY_EFFECT)
    heads = {"concept": "Color", "heads": 12}
    branches: list[Branch] = [
        ("Most relevant heads weakened", "HRVWeaken", {**heads, "order": "MoRHF"}),
        ("Least relevant heads weakened", "HRVWeaken", {**heads, "order": "LeRHF"}),
    ]
    compare(graph, note, loader, hrv, WEAKENED, None, 4, branches, POCKET_SAMPLER, enlarge=4.0)


def pocket_measure(graph: Graph) -> None:
    """A colour that vanishes head by head, and a curve of it over several prompts, on the pocket model."""
    note = graph.note(340)
    loader = graph.node("HRVPocketModel", wide=340)
    hrv = graph.node("HRVLoad", wide=340, file=DRAWINGS_BY_EFFECT)
    prompt = graph.node("HRVPrompt", "HRV Prompt (positive)", wide=320, clip=(loader, "CLIP"), text=WEAKENED)
    negative = negative_prompt(graph, loader)
    scorer = graph.node("HRVPocketScorer", wide=320)
    columns = [[note, loader, hrv], [prompt, negative, scorer]]
    right, _ = graph.group("Model and prompt", (0, 0), columns)
    settings = {"heads": "0, 3, 6, 12, 24, 48, 128", "orders": "MoRHF, LeRHF, random:1, random:1:reversed"}
    ends = {"model": loader, "hrv": hrv, "vae": loader, "negative": negative, "latent": loader}
    sampler = POCKET_SAMPLER | {"steps": 10}
    sweep = _sweep(graph, ends, (prompt, "CONDITIONING"), settings | {"batch_size": 14}, sampler)
    right, _ = graph.group("More and more heads", (right + GAP, 0), [[sweep]])
    asked: dict[str, Any] = {"experiment": "drawings_weakening: Color", "prompts": 4}
    experiment = graph.node("HRVWeakeningPrompts", wide=300, **asked)
    part, links = _measured(graph, ends, settings | {"batch_size": 14}, sampler)
    fields = {name: (experiment, name) for name in ("text", "word", "seed", "concept")}
    drawn = graph.place(part, 300, **links, **fields, scorer=(scorer, "scorer"))
    graph.group("Measured over several prompts", (right + GAP, 0), _curve(graph, drawn, [experiment, drawn], 320))


def sd15_weaken(graph: Graph) -> None:
    """The paper's experiment Color on SD1.5: sheet, CLIP scores, curve."""
    loader = graph.node("CheckpointLoaderSimple", models=[SD15], wide=340, ckpt_name=SD15["name"])
    negative = negative_prompt(graph, loader)
    _paper(graph, loader, negative, (negative, "CONDITIONING"), "sd15_paper34", 512, 4)


def sdxl_weaken(graph: Graph) -> None:
    """The same on SDXL, with zeros for the negative prompt as in the paper."""
    loader = graph.node("CheckpointLoaderSimple", models=[SDXL], wide=340, ckpt_name=SDXL["name"])
    empty = negative_prompt(graph, loader)
    zero = graph.node("ConditioningZeroOut", wide=320, conditioning=(empty, "CONDITIONING"))
    _paper(graph, loader, empty, (zero, "CONDITIONING"), "sdxl_paper34", 1024, 2, [zero])


def see_inside(graph: Graph) -> None:
    """What vectors say: heads of a concept, concepts of a head, concepts that share heads."""
    note = graph.note(340)
    loader = graph.node("HRVPocketModel", wide=340)
    shipped = graph.node("HRVLoad", wide=340, file="preset: drawings.safetensors")
    hrv = (shipped, "hrv")
    top = graph.node("HRVTopHeads", wide=320, hrv=hrv, concept="Color, Fruits and Vegetables", count=5)
    report = graph.node("HRVReport", wide=320, hrv=hrv, model=(loader, "MODEL"))
    texts = [graph.node("PreviewAny", "Top heads", wide=320, source=(top, "text"))]
    texts.append(graph.node("PreviewAny", "Report", wide=320, source=(report, "text")))
    columns = [[note, loader, shipped], [top, texts[0], report, texts[1]]]
    right, _ = graph.group("Model and vectors", (0, 0), columns)
    views: list[tuple[str, str, dict[str, Any]]] = [
        ("HRVHeatmap", "Which heads carry a concept", {"concept": "Color, Animals, Image Style"}),
        ("HRVSimilarity", "Which concepts share heads", {"of": "concepts"}),
        ("HRVHeadConcepts", "Which concept is this head", {}),
    ]
    seen = [graph.node(kind, title, wide=310, hrv=hrv, **values) for kind, title, values in views]
    graph.group("The vectors that ship with the model", (right + GAP, 0), [[node] for node in seen])


def over_time(graph: Graph) -> None:
    """A quick build counted step by step: do heads keep their concept, and how like is it to a longer build?"""
    note = graph.note(420)
    loader = graph.node("HRVPocketModel", wide=340, model="squares")
    shipped = graph.node("HRVLoad", wide=340, file="preset: pocket.safetensors")
    asked = {"width": 32, "height": 32, "batch_size": 16, "draws": 4, "per_timestep": True, "logit_scale": True}
    build = voted(graph, loader, ("pocket", "pocket_quick"), {**asked, "save_as": "pocket_timesteps", **POCKET_SAMPLER})
    right, _ = graph.group("A quick build with timesteps", (0, 0), [[note, loader, shipped], [build]])
    built = (build, "hrv")
    views: list[tuple[str, str, dict[str, Any]]] = [
        ("HRVTSNE", "Concepts over time", {"hrv": built}),
        ("HRVSimilarity", "Timesteps", {"hrv": built, "of": "timesteps"}),
        ("HRVLogitScale", "How strongly heads attend", {"hrv": built}),
        ("HRVCompare", "A quick build against a longer one", {"hrv": built, "other": (shipped, "hrv")}),
    ]
    seen = [graph.node(kind, title, wide=440, **values) for kind, title, values in views]
    graph.group("What came out", (right + GAP, 0), [seen[:2], seen[2:]])


def where_words_look(graph: Graph) -> None:
    """Token maps of three words, over all heads and through those of a concept."""
    note = graph.note(420)
    loader = graph.node("HRVPocketModel", wide=340)
    shipped = graph.node("HRVLoad", wide=340, file="preset: drawings.safetensors")
    text = "a blue dog in the desert on a snowy day"
    prompt = graph.node("HRVPrompt", "HRV Prompt (positive)", wide=320, clip=(loader, "CLIP"), text=text)
    negative = negative_prompt(graph, loader)
    latent = empty_latent(graph, loader, None, 2)
    right, _ = graph.group("Model and prompt", (0, 0), [[note, loader, shipped], [prompt, negative, latent]])
    maps = graph.node(
        "HRVTokenMaps", model=(loader, "MODEL"), positive=(prompt, "CONDITIONING"), wide=320,
        negative=(negative, "CONDITIONING"), latent_image=(latent, "LATENT"), words="blue, dog, desert, snowy",
        **POCKET_SAMPLER,
    )  # fmt: skip
    decoded, large = decode(graph, maps, 4.0, vae=(loader, "VAE"))
    right, _ = graph.group("Drawn, and watched", (right + GAP, 0), [[maps, decoded, large]])
    shared: dict[str, Any] = {"token_maps": (maps, "token_maps"), "image": (large, "IMAGE"), "hrv": (shipped, "hrv")}
    every = graph.node("HRVTokenMapView", "All heads", wide=310, **shared)
    through = {**shared, "word": "blue", "view": "weighted by concept", "concept": "Color"}
    color = graph.node("HRVTokenMapView", "Blue, through the heads of Color", wide=310, **through)
    graph.group("Where words look", (right + GAP, 0), [[every], [color]])


def _paper(
    graph: Graph, loader: Node, below: Node, negative: Output, vectors: str, side: int, at_once: int,
    more: list[Node] | None = None,
) -> None:  # fmt: skip
    """An experiment of the paper on a checkpoint: prompts as a list, sweeps, CLIP scores, one curve."""
    note = graph.note(420)
    hrv = graph.node("HRVLoad", wide=340, file=f"{vectors}.safetensors")
    latent = graph.node("EmptyLatentImage", "One image", wide=320, width=side, height=side, batch_size=1)
    scorer = graph.node("HRVCLIPScorer", models=[CLIP], wide=320, file=CLIP["name"])
    columns = [[note, loader, hrv], [below, *(more or []), latent, scorer]]
    right, _ = graph.group("Model, vectors and scorer", (0, 0), columns)
    ends = {"model": loader, "hrv": hrv, "vae": loader, "negative": negative[0], "latent": latent}
    settings = {"heads": "paper", "orders": "MoRHF, LeRHF", "batch_size": at_once}
    experiment = graph.node(
        "HRVWeakeningPrompts", wide=320, experiment="ordered_weakening: Color", prompts=5, seeds="10"
    )
    part, links = _measured(graph, ends, settings, {**SD_SAMPLER, "steps": 50})
    fields = {name: (experiment, name) for name in ("text", "word", "seed", "concept")}
    drawn = graph.place(part, 320, **links, **fields, scorer=(scorer, "scorer"))
    sheets = graph.node("PreviewImage", "Sheets", wide=420, images=(drawn, "sheet"))
    columns = _curve(graph, drawn, [experiment, drawn], 420)
    columns[-1].append(sheets)
    graph.group("Measured over several prompts", (right + GAP, 0), columns)


def _sweep(
    graph: Graph, ends: dict[str, Node], positive: Output | None, settings: dict[str, Any], sampler: dict[str, Any],
) -> Node:  # fmt: skip
    links: dict[str, Any] = {}
    if positive:
        outputs = {"model": "MODEL", "negative": "CONDITIONING", "vae": "VAE", "hrv": "hrv"}
        links = {name: (ends[name], output) for name, output in outputs.items()}
        links |= {"positive": positive, "latent_image": (ends["latent"], "LATENT")}
    return graph.node("HRVWeakenSweep", wide=320, concept="Color", **settings, **sampler, **links)


def _measured(
    graph: Graph, ends: dict[str, Node], settings: dict[str, Any], sampler: dict[str, Any]
) -> tuple[Subgraph, dict[str, Output]]:
    """Each prompt of a list swept and scored, one curve of all; and what it is given besides prompts and scorer."""
    part = Subgraph("Sweep, score, curve", graph.object_info, graph.name)
    prompt = part.node("HRVPrompt", "Each prompt", wide=320)
    values = {name: value for name, value in sampler.items() if name != "seed"}
    sweep = _sweep(part, ends, None, settings, values)
    (place,) = [place for place, socket in enumerate(sweep["inputs"]) if socket["name"] == "positive"]
    sweep["inputs"][place]["link"] = part._link((prompt, "CONDITIONING"), sweep["id"], place)
    score = part.node("HRVScoreImages", images=(sweep, "images"), table=(sweep, "table"))
    curve = part.node("HRVWeakenCurve", wide=320, table=(score, "table"))
    part.group("Measured over several prompts", (0, 0), [[prompt], [sweep], [score, curve]])
    part.enter("model", (sweep, "model"))
    part.enter("clip", (prompt, "clip"))
    part.enter("vae", (sweep, "vae"))
    part.enter("negative", (sweep, "negative"))
    part.enter("latent", (sweep, "latent_image"))
    part.enter("hrv", (sweep, "hrv"))
    part.enter("scorer", (score, "scorer"))
    part.enter("text", (prompt, "text"))
    part.enter("word", (score, "word"))
    part.enter("seed", (sweep, "seed"))
    part.enter("concept", (sweep, "concept"), (curve, "title"))
    for name in ("heads", "orders", "steps"):
        part.enter(name, (sweep, name))
    part.leave("curve", curve, "IMAGE")
    part.leave("areas", curve, "areas")
    part.leave("sheet", sweep, "sheet")
    outputs = {"model": "MODEL", "vae": "VAE", "negative": "CONDITIONING", "latent": "LATENT", "hrv": "hrv"}
    links = {name: (ends[name], output) for name, output in outputs.items()}
    return part, {**links, "clip": (ends["model"], "CLIP")}


def _curve(graph: Graph, drawn: Node, first: list[Node], wide: int) -> list[list[Node]]:
    preview = graph.node("PreviewImage", "Curve", wide=wide, images=(drawn, "curve"))
    areas = graph.node("PreviewAny", "Areas", wide=wide, source=(drawn, "areas"))
    return [first, [preview, areas]]
