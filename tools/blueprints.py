"""Write subgraphs/*.json: what people do most, each as one node of the node library that opens into its parts.

Run after a node's inputs changed: `python3 tools/bootstrap.py -- python -m tools.blueprints`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hrv_engine.paths import ROOT

from .server import ComfyServer
from .subgraph import Node, Subgraph

FOLDER = ROOT / "subgraphs"
SAMPLER: dict[str, Any] = {"seed": 1, "steps": 20, "cfg": 7.0, "sampler_name": "euler", "scheduler": "normal"}


class Blueprint(Subgraph):
    """A subgraph as a file of its own; the file is named as its node is."""

    def __init__(self, title: str, object_info: dict[str, Any]) -> None:
        super().__init__(title, object_info, "subgraphs")
        self.aliases = list[str]()

    def as_json(self) -> dict[str, Any]:
        """The blueprint as the frontend saves it: one node, and the subgraph that it opens into."""
        last = len(self.nodes) + 1
        node = self.as_node(last)
        node["outputs"] = [{**out, "links": None} for out in node["outputs"]]
        node |= {"order": 0, "size": [360, 80 + 26 * len(self.entries)]}
        extra = {"BlueprintDescription": self.description, "BlueprintSearchAliases": self.aliases}
        return {
            "revision": 0, "last_node_id": last, "last_link_id": 0, "nodes": [node], "links": [], "version": 0.4,
            "definitions": {"subgraphs": [self.definition()]}, "extra": extra,
        }  # fmt: skip


def fix_word(blueprint: Blueprint) -> None:
    """A prompt drawn before and after one of its words was given the right meaning."""
    fix = blueprint.node(
        "HRVFixWord", wide=340, word="lavender", meaning="Color", not_meaning="Plants",
        more={"text": "a vase in lavender color"},
    )  # fmt: skip
    negative = blueprint.node("CLIPTextEncode", "Negative prompt", text="")
    before = _drawn(blueprint, negative, positive=(fix, "CONDITIONING"))
    after = _drawn(blueprint, negative, positive=(fix, "CONDITIONING"), model=(fix, "MODEL"))
    blueprint.group("Before and after", (0, 0), [[fix, negative], [before[0], after[0]], [before[1], after[1]]])
    _inputs(blueprint, [(fix, "model"), (before[0], "model")], [fix, negative], [before, after])
    blueprint.enter("hrv", (fix, "hrv"))
    for name in ("text", "word", "meaning", "not_meaning", "strength"):
        blueprint.enter(name, (fix, name))
    _settings(blueprint, negative, [before, after])
    blueprint.leave("before", before[1], "IMAGE")
    blueprint.leave("after", after[1], "IMAGE")
    blueprint.leave("receipt", fix, "receipt")


def edit(blueprint: Blueprint) -> None:
    """Two prompts with one noise: the image of the first, changed as the second says."""
    source = blueprint.node("HRVPrompt", "HRV Prompt (source)", text="a blue car")
    target = blueprint.node("HRVPrompt", "HRV Prompt (target)", text="a red car")
    negative = blueprint.node("CLIPTextEncode", "Negative prompt", text="")
    p2p = blueprint.node("HRVP2PEdit", wide=340, source=(source, "CONDITIONING"), target=(target, "CONDITIONING"))
    drawn = _drawn(blueprint, negative, model=(p2p, "MODEL"), positive=(p2p, "positive"), latent_image=(p2p, "LATENT"))
    blueprint.group("One noise, two prompts", (0, 0), [[source, target, negative], [p2p], [drawn[0]], [drawn[1]]])
    _inputs(blueprint, [(p2p, "model")], [source, target, negative], [drawn], (p2p, "latent"))
    blueprint.enter("hrv", (p2p, "hrv"))
    blueprint.enter("source", (source, "text"))
    blueprint.enter("target", (target, "text"))
    for name in ("concept", "cross_replace", "self_replace"):
        blueprint.enter(name, (p2p, name))
    _settings(blueprint, negative, [drawn])
    blueprint.leave("source and edit", drawn[1], "IMAGE")


def keep_objects(blueprint: Blueprint) -> None:
    """A prompt of several objects, guided so that none is left out."""
    prompt = blueprint.node("HRVPrompt", text="a cat and a frog")
    negative = blueprint.node("CLIPTextEncode", "Negative prompt", text="")
    excite = blueprint.node("HRVAttendExcite", wide=340, positive=(prompt, "CONDITIONING"), words="cat, frog")
    drawn = _drawn(blueprint, negative, model=(excite, "MODEL"), positive=(excite, "positive"))
    blueprint.group("Every object excited", (0, 0), [[prompt, negative], [excite], [drawn[0]], [drawn[1]]])
    _inputs(blueprint, [(excite, "model")], [prompt, negative], [drawn])
    blueprint.enter("hrv", (excite, "hrv"))
    blueprint.enter("text", (prompt, "text"))
    blueprint.enter("words", (excite, "words"))
    blueprint.enter("concepts", (excite, "concepts"))
    _settings(blueprint, negative, [drawn])
    blueprint.leave("IMAGE", drawn[1], "IMAGE")


def see_inside(blueprint: Blueprint) -> None:
    """Which heads a concept has, and which concepts its heads have."""
    heat = blueprint.node("HRVHeatmap", concept="Color")
    top = blueprint.node("HRVTopHeads", concept="Color", count=10)
    heads = blueprint.node("HRVHeadConcepts")
    blueprint.group("Vectors seen", (0, 0), [[heat, top, heads]])
    blueprint.enter("hrv", (heat, "hrv"), (top, "hrv"), (heads, "hrv"))
    blueprint.enter("concept", (heat, "concept"), (top, "concept"))
    blueprint.enter("heads", (heads, "heads"))
    blueprint.leave("heat map", heat, "IMAGE")
    blueprint.leave("top heads", top, "text")
    blueprint.leave("concepts of heads", heads, "IMAGE")


Drawn = tuple[Node, Node]  # a sampler and what decodes it


def _drawn(blueprint: Blueprint, negative: Node, **ends: tuple[Node, str]) -> Drawn:
    sampler = blueprint.node("KSampler", more={**ends, **SAMPLER}, negative=(negative, "CONDITIONING"))
    return sampler, blueprint.node("VAEDecode", samples=(sampler, "LATENT"))


def _inputs(
    blueprint: Blueprint, models: list[tuple[Node, str]], encoders: list[Node], drawn: list[Drawn],
    latent: tuple[Node, str] | None = None,
) -> None:  # fmt: skip
    blueprint.enter("model", *models)
    blueprint.enter("clip", *((node, "clip") for node in encoders))
    blueprint.enter("vae", *((decoded, "vae") for _, decoded in drawn))
    blueprint.enter("latent", *([latent] if latent else [(sampler, "latent_image") for sampler, _ in drawn]))


def _settings(blueprint: Blueprint, negative: Node, drawn: list[Drawn]) -> None:
    blueprint.enter("negative", (negative, "text"))
    for name in ("seed", "steps", "cfg", "sampler_name", "scheduler"):
        blueprint.enter(name, *((sampler, name) for sampler, _ in drawn))


BLUEPRINTS: dict[str, tuple[Callable[[Blueprint], None], list[str]]] = {
    "Fix a misread word": (fix_word, ["hrv", "wrong meaning", "ambiguous word", "before and after"]),
    "Edit by prompt": (edit, ["hrv", "prompt to prompt", "p2p", "change one word"]),
    "Keep every object": (keep_objects, ["hrv", "missing object", "attend and excite", "two objects"]),
    "See inside": (see_inside, ["hrv", "heat map", "heads of a concept", "interpretability"]),
}


def blueprint_of(name: str, object_info: dict[str, Any]) -> dict[str, Any]:
    """A blueprint as the frontend saves it."""
    draw, aliases = BLUEPRINTS[name]
    drawn = Blueprint(name, object_info)
    draw(drawn)
    drawn.description, drawn.aliases = (draw.__doc__ or "").strip(), aliases
    return drawn.as_json()


def main() -> None:
    """Write subgraphs/<name>.json for all."""
    with ComfyServer() as server:
        object_info = server.client.object_info()
    FOLDER.mkdir(exist_ok=True)
    for name in BLUEPRINTS:
        text = json.dumps(blueprint_of(name, object_info), indent=1, ensure_ascii=False)
        (FOLDER / f"{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
