"""The graphs that find heads by effect."""

from __future__ import annotations

from typing import Any

from .graph_parts import GAP, MEANT, MISREAD, MISREAD_SAMPLER, POCKET_SAMPLER, SD15, Node, built, decode, settings
from .litegraph import Graph
from .subgraph import Subgraph


def pocket_effect(graph: Graph) -> None:
    """The pocket model's heads by effect, and a misread word fixed with them."""
    note = graph.note(360)
    loader = graph.node("HRVPocketModel", wide=340)
    meanings = f"{MEANT['desired']}, {MEANT['undesired']}"
    concepts = graph.node("HRVConcepts", wide=340, preset="drawings", keep=meanings)
    build = graph.node(
        "HRVBuildByEffect", wide=320, model=(loader, "MODEL"), clip=(loader, "CLIP"), concepts=(concepts, "concepts"),
        templates="drawings", samples_per_word=1, width=64, height=64, batch_size=8, save_as="pocket_effect",
        **POCKET_SAMPLER | {"steps": 10},
    )  # fmt: skip
    right, _ = graph.group("Model and concepts", (0, 0), [[note, loader, concepts]])
    right, _ = graph.group("Heads are measured", (right + GAP, 0), [[build]])
    right, _ = graph.group("What came out", (right + GAP, 0), [built(graph, build, meanings)])
    fixed = _before_and_after(graph)
    links = {name: (loader, output) for name, output in (("model", "MODEL"), ("clip", "CLIP"), ("vae", "VAE"))}
    drawn = graph.place(fixed, 300, **links, latent=(loader, "LATENT"), hrv=(build, "hrv"))
    shown = [graph.node("PreviewImage", title, wide=300, images=(drawn, title)) for title in ("Before", "After")]
    for node in shown:
        node["size"][1] -= 30
    graph.group("A misread word, fixed with them", (right + GAP, 0), [[drawn, *shown]])


def _before_and_after(graph: Graph) -> Subgraph:
    """A prompt drawn before and after HRV Fix Word, with the same noise."""
    part = Subgraph("Before and after", graph.object_info, graph.name)
    fix = part.node(
        "HRVFixWord", wide=320, word=MEANT["word"], meaning=MEANT["desired"], not_meaning=MEANT["undesired"],
        more={"text": MISREAD},
    )  # fmt: skip
    negative = part.node("CLIPTextEncode", "Negative prompt", text="")
    images = part.node("RepeatLatentBatch", "Images", amount=4)
    ends: dict[str, Any] = {
        "positive": (fix, "CONDITIONING"),
        "negative": (negative, "CONDITIONING"),
        "latent_image": (images, "LATENT"),
    }
    before = part.node("KSampler", "KSampler (before)", **ends, **MISREAD_SAMPLER)
    after = part.node("KSampler", "KSampler (after)", model=(fix, "MODEL"), **ends, **MISREAD_SAMPLER)
    decoded = [decode(part, node, 4.0) for node in (before, after)]
    part.group("Before and after", (0, 0), [[fix, negative, images], [before, after], *decoded])
    part.enter("model", (fix, "model"), (before, "model"))
    part.enter("clip", (fix, "clip"), (negative, "clip"))
    part.enter("vae", *((nodes[0], "vae") for nodes in decoded))
    part.enter("latent", (images, "samples"))
    part.enter("hrv", (fix, "hrv"))
    for name in ("word", "meaning", "not_meaning", "strength"):
        part.enter(name, (fix, name))
    settings(part, [before, after], "seed")
    for title, nodes in zip(("Before", "After"), decoded, strict=True):
        part.leave(title, nodes[-1], "IMAGE")
    return part


def sd15_effect(graph: Graph) -> None:
    """Heads of SD1.x by effect, saved for HRV Load."""
    note = graph.note(360)
    loader = graph.node("CheckpointLoaderSimple", models=[SD15], wide=340, ckpt_name=SD15["name"])
    concepts = graph.node("HRVConcepts", wide=340, preset="paper34")
    build = graph.node(
        "HRVBuildByEffect", wide=360, model=(loader, "MODEL"), clip=(loader, "CLIP"), concepts=(concepts, "concepts"),
        templates="paper34", samples_per_word=2, width=512, height=512, save_as="sd15_effect", seed=1,
    )  # fmt: skip
    measured(graph, [[note, loader, concepts]], build)


def measured(graph: Graph, columns: list[list[Node]], build: Node) -> None:
    """What is asked, the build by effect, its heat map and report."""
    right, _ = graph.group("What is asked", (0, 0), columns)
    right, _ = graph.group("Heads are measured", (right + GAP, 0), [[build]])
    graph.group("What came out", (right + GAP, 0), [built(graph, build, "Color, Plants", 420)])
