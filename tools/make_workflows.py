"""Write workflows/*.json (UI graphs, LiteGraph 0.4) from a real server's node schemas.

Run after a node's inputs changed: `python3 tools/bootstrap.py -- python -m tools.make_workflows`. The server gives
input order, widget defaults and types, so the files always fit the schemas they were made from.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .build_graphs import (
    imported,
    pocket_build,
    pocket_parts,
    published,
    sd15_build,
    sd15_extended,
    sd15_timesteps,
)
from .editing_graphs import EDITING_GRAPHS
from .effect_graphs import pocket_effect, sd15_effect
from .encoder_graphs import pocket_other_encoder
from .fix_word_graphs import fix_word
from .graph_parts import (
    DRAWINGS_BY_EFFECT,
    GAP,
    MEANT,
    MISREAD,
    MISREAD_SAMPLER,
    SD15,
    SD_SAMPLER,
    SDXL,
    Branch,
    compare,
    negative_prompt,
)
from .guidance_graphs import GUIDANCE_GRAPHS
from .inspection_graphs import (
    over_time,
    pocket_measure,
    pocket_weaken,
    sd15_weaken,
    sdxl_weaken,
    see_inside,
    where_words_look,
)
from .litegraph import Graph
from .metric_graphs import METRIC_GRAPHS
from .prompt_weight_graphs import PROMPT_WEIGHT_GRAPHS
from .reference_graphs import REFERENCE_GRAPHS
from .server import ComfyServer
from .suggest_graphs import pocket_suggest, pocket_suggest_llm
from .transformer_graphs import qwen_effect, qwen_fix


def pocket_fix(graph: Graph) -> None:
    """Plain against adjusted on the pocket model."""
    note = graph.note(420)
    loader = graph.node("HRVPocketModel", wide=340)
    hrv = graph.node("HRVLoad", file=DRAWINGS_BY_EFFECT)
    compare(graph, note, loader, hrv, MISREAD, None, 8, _steered(MEANT), MISREAD_SAMPLER, enlarge=4.0)


def sd15_fix(graph: Graph) -> None:
    """ "a vase in lavender color" on SD1.5."""
    note = graph.note(420)
    loader = graph.node("CheckpointLoaderSimple", models=[SD15], wide=340, ckpt_name=SD15["name"])
    hrv = graph.node("HRVLoad", file="sd15_paper34.safetensors")
    asked = {"word": "lavender", "desired": "Color", "undesired": "Plants"}
    compare(graph, note, loader, hrv, "a vase in lavender color", 512, 4, _steered(asked), SD_SAMPLER)


def sdxl_fix(graph: Graph) -> None:
    """ "A rose-colored vase" on SDXL, clamped."""
    note = graph.note(420)
    loader = graph.node("CheckpointLoaderSimple", models=[SDXL], wide=340, ckpt_name=SDXL["name"])
    hrv = graph.node("HRVLoad", file="sdxl_paper34.safetensors")
    asked = {"word": "rose-colored", "desired": "Color", "undesired": "Plants", "clamp": 9.0}
    compare(graph, note, loader, hrv, "A rose-colored vase", 1024, 2, _steered(asked), SD_SAMPLER)


def _steered(asked: dict[str, Any]) -> list[Branch]:
    """The word adjusted, and strengthened by the desired concept alone."""
    alone = {name: value for name, value in asked.items() if name in ("word", "clamp")} | {"concept": asked["desired"]}
    return [
        ("The word adjusted", "HRVConceptAdjust", asked),
        ("The word strengthened", "HRVConceptStrengthen", alone),
    ]


def pocket_plms(graph: Graph) -> None:
    """The sampler of the paper on the pocket model."""
    note = graph.note(420)
    loader = graph.node("HRVPocketModel", wide=340)
    text = "a red car in the desert"
    prompt = graph.node("HRVPrompt", "HRV Prompt (positive)", wide=320, clip=(loader, "CLIP"), text=text)
    negative = negative_prompt(graph, loader)
    latent = graph.node("RepeatLatentBatch", "Images", wide=320, samples=(loader, "LATENT"), amount=4)
    right, _ = graph.group("Model and prompt", (0, 0), [[note, loader], [prompt, negative, latent]])
    sampler = graph.node("HRVPLMSSampler")
    sigmas = graph.node("BasicScheduler", model=(loader, "MODEL"), scheduler="ddim_uniform", steps=20, denoise=1.0)
    drawn = graph.node(
        "SamplerCustom", model=(loader, "MODEL"), positive=(prompt, "CONDITIONING"),
        negative=(negative, "CONDITIONING"), sampler=(sampler, "SAMPLER"), sigmas=(sigmas, "SIGMAS"),
        latent_image=(latent, "LATENT"), noise_seed=1, cfg=3.0,
    )  # fmt: skip
    right, _ = graph.group("The paper's sampler", (right + GAP, 0), [[sampler, sigmas, drawn]])
    decoded = graph.node("VAEDecode", samples=(drawn, "output"), vae=(loader, "VAE"))
    scaled: dict[str, Any] = {"upscale_method": "nearest-exact", "scale_by": 4.0}
    large = graph.node("ImageScaleBy", image=(decoded, "IMAGE"), **scaled)
    shown = graph.node("PreviewImage", "Drawn", wide=400, images=(large, "IMAGE"))
    graph.group("What it draws", (right + GAP, 0), [[decoded, large, shown]])


GRAPHS: dict[str, Callable[[Graph], None]] = {  # by the titles that people read
    "01 Fix a misread word": fix_word,
    "02 Steer a word, before and after": pocket_fix,
    "03 SD1.5 - fix a misread word": sd15_fix,
    "04 SDXL - fix a misread word": sdxl_fix,
    "05 Let HRV Suggest choose the meaning": pocket_suggest,
    "06 Steer a prompt of another encoder": pocket_other_encoder,
    **PROMPT_WEIGHT_GRAPHS,
    "11 Qwen-Image - fix a misread word": qwen_fix,
    **REFERENCE_GRAPHS,
    **EDITING_GRAPHS,
    **GUIDANCE_GRAPHS,
    "22 Build head vectors by votes": pocket_build,
    "23 Build head vectors by effect": pocket_effect,
    "24 SD1.5 - build head vectors by votes": sd15_build,
    "25 SD1.5 - build head vectors by effect": sd15_effect,
    "26 Qwen-Image - build head vectors for a DiT": qwen_effect,
    "27 Build in parts and merge": pocket_parts,
    "28 SD1.5 - add a concept of your own": sd15_extended,
    "29 Fetch the paper's vectors": published,
    "30 See inside head vectors": see_inside,
    "31 See where words look": where_words_look,
    "32 See heads over time": over_time,
    "33 SD1.5 - see heads over time": sd15_timesteps,
    "34 Weaken the heads of a concept": pocket_weaken,
    "35 Watch a concept vanish, measured": pocket_measure,
    "36 SD1.5 - watch a concept vanish": sd15_weaken,
    "37 SDXL - watch a concept vanish": sdxl_weaken,
    **METRIC_GRAPHS,
    "40 Ask a language model for the meaning": pocket_suggest_llm,
    "41 Draw with the paper's sampler": pocket_plms,
    "42 SD1.5 - import published vectors": imported,
}


def main() -> None:
    """Write all graphs."""
    with ComfyServer() as server:
        object_info = server.client.object_info()
    for name, draw in GRAPHS.items():
        graph = Graph(name, object_info)
        draw(graph)
        graph.write()


if __name__ == "__main__":
    main()
