"""The graphs that measure: scores of the same seeds under two methods, compared by a paired bootstrap."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .editing_graphs import P2P, links_of, methods, prompts_of, with_hrv
from .graph_parts import (
    CLIP,
    DRAWINGS_BY_EFFECT,
    GAP,
    POCKET_SAMPLER,
    SD15,
    SD_SAMPLER,
    Node,
    Output,
    decode,
    empty_latent,
    negative_prompt,
    settings,
)
from .litegraph import Graph
from .subgraph import Subgraph

CAPTIONER, DINO, SEGMENTER = "blip2-opt-2.7b", "dinov2-base", "clipseg-rd64-refined"  # folders in models/hrv_eval


def pocket_metrics(graph: Graph) -> None:
    """Is the adjusted word read right more often? The fruit not meant, and the lower of colour and thing."""
    note = graph.note(420)
    loader = graph.node("HRVPocketModel", wide=340)
    hrv = graph.node("HRVLoad", wide=320, file=DRAWINGS_BY_EFFECT)
    prompt = graph.node("HRVPrompt", "HRV Prompt (positive)", wide=320, clip=(loader, "CLIP"), text="an olive car")
    negative = negative_prompt(graph, loader)
    latent = empty_latent(graph, loader, None, 24)
    right, _ = graph.group("Model and prompt", (0, 0), [[note, loader], [hrv, prompt, negative, latent]])
    links = {"model": (loader, "MODEL"), "vae": (loader, "VAE"), "hrv": (hrv, "hrv"), "latent": (latent, "LATENT")}
    links |= {"positive": (prompt, "CONDITIONING"), "negative": (negative, "CONDITIONING")}
    drawn = graph.place(_adjusted(graph), 280, **links)
    images = ((drawn, "Plain"), (drawn, "The word adjusted"))
    seen = [graph.node("PreviewImage", title, wide=280, images=(node, title)) for node, title in images]
    for node in seen:
        node["size"][1] -= 40
    right, _ = graph.group("The same noise", (right + GAP, 0), [[drawn, *seen]])
    scorer = graph.node("HRVPocketScorer", wide=280)
    worst = graph.node("HRVMinObjectScorer", wide=280, scorer=(scorer, "scorer"))
    nodes, shown = [scorer], list[Node]()
    for node, words, title in ((scorer, "an olive", "The fruit"), (worst, "olive and car", "Both at once")):
        part = _compared(graph, words, title, ("plain", "adjusted"))
        found = graph.place(part, 280, a=images[0], b=images[1], scorer=(node, "scorer"))
        nodes += [found] if node is scorer else [worst, found]
        shown += _shown(graph, found, title)
    graph.group("Scored and compared", (right + GAP, 0), [nodes, shown])


def _adjusted(graph: Graph) -> Subgraph:
    """A prompt drawn as it is and with its word adjusted, from one noise."""
    part = Subgraph("Plain and adjusted", graph.object_info, graph.name)
    adjust = part.node("HRVConceptAdjust", wide=320, word="olive", desired="Color", undesired="Fruits and Vegetables")
    steered = {"model": (adjust, "MODEL"), "positive": (adjust, "positive")}
    samplers = [
        part.node("KSampler", f"KSampler ({title})", more={**start, **POCKET_SAMPLER})
        for title, start in (("plain", {}), ("the word adjusted", steered))
    ]
    decoded = [decode(part, node, None)[0] for node in samplers]
    part.group("One noise, twice", (0, 0), [[adjust], samplers, decoded])
    for name in ("model", "positive"):
        part.enter(name, (adjust, name), (samplers[0], name))
    part.enter("negative", *((node, "negative") for node in samplers))
    part.enter("latent", *((node, "latent_image") for node in samplers))
    part.enter("vae", *((node, "vae") for node in decoded))
    part.enter("hrv", (adjust, "hrv"))
    for name in ("word", "desired", "undesired", "strength"):
        part.enter(name, (adjust, name))
    settings(part, samplers, "seed")
    for title, node in zip(("Plain", "The word adjusted"), decoded, strict=True):
        part.leave(title, node, "IMAGE")
    return part


def sd15_edit_metrics(graph: Graph) -> None:
    """An edit over several seeds, scored by CLIP, captions and BG-DINO."""
    note = graph.note(420)
    loader = graph.node("CheckpointLoaderSimple", models=[SD15], wide=340, ckpt_name=SD15["name"])
    hrv = graph.node("HRVLoad", wide=340, file="sd15_paper34.safetensors")
    texts, names = ("a blue car", "a red car"), ("P2P", "P2P with HRV")
    sampler = SD_SAMPLER | {"steps": 50, "seed": 10}
    prompts = prompts_of(graph, [[note, loader, hrv]], loader, texts, 512)
    part = methods("Two methods", graph, [P2P, with_hrv("Color")], 4, sampler)
    drawn = graph.place(part, 280, **links_of(prompts, loader), hrv=(hrv, "hrv"))
    seen = [graph.node("PreviewImage", out["name"], wide=280, images=(drawn, out["name"])) for out in drawn["outputs"]]
    right, _ = graph.group("The same noise", (prompts.right + GAP, 0), [[drawn, *seen]])
    clip = graph.node("HRVCLIPScorer", models=[CLIP], wide=260, file=CLIP["name"])
    captions = graph.node("HRVCaptionScorer", wide=260, clip=(clip, "scorer"), captioner=CAPTIONER)
    given = {name: (drawn, out["name"]) for name, out in zip(("a", "b"), drawn["outputs"], strict=True)}
    judged = _judged(graph, texts[1], names)
    found = graph.place(judged, 260, **given, clip=(clip, "scorer"), captions=(captions, "scorer"))
    shown = [_shown(graph, found, title, 190) for title in ("The target prompt", "Captions", "The background")]
    compared = [
        graph.node("PreviewImage", f"Compared ({name})", wide=260, images=(found, f"compared ({name})"))
        for name in names
    ]
    for node in compared:
        node["size"][1] = 118
    columns = [[clip, captions, found, *compared], *(list(column) for column in zip(*shown, strict=True))]
    graph.group("Scored and compared", (right + GAP, 0), columns)


def _judged(graph: Graph, words: str, names: tuple[str, str]) -> Subgraph:
    """Source and target of two methods, scored by CLIP, captions and what is kept of the background, and compared."""
    part = Subgraph("Score and compare", graph.object_info, graph.name)
    kept = [
        part.node(
            "HRVBackgroundSimilarity", f"Background ({name})", wide=320, model=DINO, words="car", segmenter=SEGMENTER
        )
        for name in names
    ]
    images = [(node, "edited") for node in kept]
    columns = [kept]
    scored = {}
    for name, title in (("clip", "The target prompt"), ("captions", "Captions")):
        scores = [
            _score(part, f"{title}: {method}", source, words) for method, source in zip(names, images, strict=True)
        ]
        scored[name] = scores
        columns.append([*scores, _difference(part, [(node, "table") for node in scores], title, names)])
    columns.append([_difference(part, [(node, "table") for node in kept], "The background", names)])
    part.group("Scored and compared", (0, 0), columns)
    for name, node in zip(("a", "b"), kept, strict=True):
        part.enter(name, (node, "source"))
    for name, scores in scored.items():
        part.enter(name, *((node, "scorer") for node in scores))
    for name, node in zip(names, kept, strict=True):
        part.leave(f"compared ({name})", node, "background")
    for node in (column[-1] for column in columns[1:]):
        part.leave(f"{node['title']}: figure", node, "IMAGE")
        part.leave(f"{node['title']}: numbers", node, "text")
    return part


def _compared(graph: Graph, words: str, title: str, names: tuple[str, str]) -> Subgraph:
    """Two sets of images, scored and compared."""
    part = Subgraph(title, graph.object_info, graph.name)
    scores = [_score(part, f"{title}: {name}", None, words) for name in names]
    found = _difference(part, [(node, "table") for node in scores], title, names)
    part.group(title, (0, 0), [scores, [found]])
    for name, node in zip(("a", "b"), scores, strict=True):
        part.enter(name, (node, "images"))
    part.enter("scorer", *((node, "scorer") for node in scores))
    part.enter("word", *((node, "word") for node in scores))
    part.leave(f"{title}: figure", found, "IMAGE")
    part.leave(f"{title}: numbers", found, "text")
    return part


def _score(part: Subgraph, title: str, images: Output | None, words: str) -> Node:
    links: dict[str, Any] = {"images": images} if images else {}
    return part.node("HRVScoreImages", title, wide=320, word=words, **links)


def _difference(part: Subgraph, tables: list[Output], title: str, names: tuple[str, str]) -> Node:
    values: dict[str, Any] = {"name": names[0], "title": title}
    return part.node(
        "HRVCompareScores", title, wide=340, table=tables[0], other=tables[1], other_name=names[1], more=values
    )


def _shown(graph: Graph, found: Node, title: str, wide: int = 300) -> list[Node]:
    """A comparison's figure and numbers."""
    preview = graph.node("PreviewImage", f"{title}: figure", wide=wide, images=(found, f"{title}: figure"))
    text = graph.node("PreviewAny", f"{title}: numbers", wide=wide, source=(found, f"{title}: numbers"))
    preview["size"][1] -= 50
    return [preview, text]


METRIC_GRAPHS: dict[str, Callable[[Graph], None]] = {
    "38 Score two methods": pocket_metrics,
    "39 SD1.5 - score edits": sd15_edit_metrics,
}
